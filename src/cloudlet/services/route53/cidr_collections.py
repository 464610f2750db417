"""CIDR collections: the client addresses that IP-based records are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.route53 import errors, limits
from cloudlet.services.route53.block import REGION
from cloudlet.services.route53.cidr_record import CidrCollection

DEFAULT: Final = "*"
"""The location of all clients that no other one has."""
COLLECTIONS: Final = Records(Subspace("cidr-collection"), CidrCollection, errors.NoSuchCidrCollection)
_MAX_PREFIX_BITS: Final = {4: 24, 6: 48}
"""Longer blocks are none (Developer Guide, "IP-based routing")."""


async def check_location(tx: Transaction, account: str, collection: str, location: str) -> None:
    """Raise AwsError for a location that is not there."""
    found = await COLLECTIONS.get(tx, account, REGION, collection)
    if location != DEFAULT and location not in found.locations:
        raise NoSuchCidrLocation(location)


class NoSuchCidrLocation(AwsError):
    def __init__(self, location: str) -> None:
        super().__init__("NoSuchCidrLocationException", f"The CIDR location {location} does not exist.")


def parse_block(text: str) -> IPv4Network | IPv6Network:
    """Return a block of addresses. Raises InvalidInput."""
    try:
        block = ip_network(text)
    except ValueError:
        raise errors.InvalidInput(f"{text} is not a valid CIDR block.") from None
    if block.prefixlen > _MAX_PREFIX_BITS[block.version]:
        raise errors.InvalidInput(
            f"The prefix of the CIDR block {text} is longer than {_MAX_PREFIX_BITS[block.version]} bits."
        )
    return block


def apply_changes(
    locations: Mapping[str, tuple[str, ...]], changes: Iterable[Mapping[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Return the locations of a collection after changes. Raises AwsError."""
    after = {location: {str(parse_block(text)) for text in blocks} for location, blocks in locations.items()}
    for change in changes:
        location = change["LocationName"]
        if location == DEFAULT:
            raise errors.InvalidInput("The location * is that of all clients that no other location has.")
        blocks = {str(parse_block(text)) for text in change["CidrList"]}
        known = after.setdefault(location, set())
        if change["Action"] == "PUT":
            known |= blocks
        else:
            known -= blocks
    _check_blocks(after)
    return {location: tuple(sorted(blocks)) for location, blocks in after.items() if blocks}


def _check_blocks(locations: Mapping[str, Iterable[str]]) -> None:
    """Raise AwsError for blocks in two locations, and for too many."""
    owners: dict[str, str] = {}
    for location, blocks in locations.items():
        for block in blocks:
            if block in owners:
                raise AwsError(
                    "CidrBlockInUseException", f"The CIDR block {block} is in use by the location {owners[block]}."
                )
            owners[block] = location
    if len(owners) > limits.MAX_CIDR_BLOCKS:
        raise errors.QuotaExcess(f"A CIDR collection has at most {limits.MAX_CIDR_BLOCKS} blocks.")


def to_api(found: CidrCollection) -> dict[str, Any]:
    """Return a collection as the API has it."""
    return {"Arn": found.arn, "Id": found.name, "Name": found.title, "Version": found.version}
