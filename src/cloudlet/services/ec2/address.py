"""Elastic addresses.

They are of a range that nobody routes (RFC 2544): nothing from outside reaches a VPC by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.kernel.ids import random_below
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list

_RANGE: Final = IPv4Network("198.18.0.0/15")
_TRIES: Final = 64
_PUBLIC: Final = Subspace("public-address")


class Address(Resource, kw_only=True):
    address: str
    interface: str = ""
    association: str = ""
    private_address: str = ""
    owner: str = ""
    """The NAT gateway that has it."""

    def list_parents(self) -> Iterable[str]:
        return (self.association, f"address/{self.address}")


async def _show(scope: Scope, tx: Transaction, address: Address) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "AllocationId": address.name,
        "PublicIp": address.address,
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": address.region,
        "Tags": to_tag_list(address),
    }
    if address.association:
        shown |= {
            "AssociationId": address.association,
            "NetworkInterfaceId": address.interface,
            "NetworkInterfaceOwnerId": address.account,
            "PrivateIpAddress": address.private_address,
        }
    return shown


ADDRESSES: Final = Kind(
    Address, "eipalloc", "elastic-ip", "allocation", "InvalidAllocationID", _show, "Addresses", "AllocationIds",
    {
        "allocation-id": "",
        "association-id": "",
        "domain": "",
        "instance-id": "",
        "network-border-group": "",
        "network-interface-id": "",
        "network-interface-owner-id": "",
        "private-ip-address": "",
        "public-ip": "",
    },
)  # fmt: skip


async def take_public_address(tx: Transaction, wanted: str | None = None) -> str:
    """Return a public address that nobody else has. Raises AwsError."""
    if wanted is not None:
        if await tx.get(_PUBLIC.key(wanted)) is not None or not _is_public(wanted):
            raise AwsError("InvalidAddress.NotFound", f"Address '{wanted}' not found.")
        tx.put(_PUBLIC.key(wanted), b"")
        return wanted
    for _ in range(_TRIES):
        address = str(_RANGE[1 + random_below(_RANGE.num_addresses - 2)])
        if await tx.get(_PUBLIC.key(address)) is None:
            tx.put(_PUBLIC.key(address), b"")
            return address
    raise AwsError("InsufficientAddressCapacity", "There are not enough addresses to satisfy the request.")


def _is_public(text: str) -> bool:
    try:
        return IPv4Address(text) in _RANGE
    except ValueError:
        return False


def release_public_address(tx: Transaction, address: str) -> None:
    """Give a public address back."""
    tx.delete(_PUBLIC.key(address))
