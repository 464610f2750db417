"""Reusable delegation sets: name servers that several zones have in common."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.services.route53 import limits, record_sets, zones
from cloudlet.services.route53.block import REGION
from cloudlet.services.route53.zone_record import DelegationSet, Zone

USES: Final = Subspace("delegation-use")
"""The zones of each delegation set, by account, its id and theirs."""


async def use(ctx: Context, tx: Transaction, zone: Zone, given: str) -> Zone:
    """Return a zone with the name servers of a reusable delegation set. Raises AwsError."""
    identifier = record_sets.to_id(given)
    found = await zones.DELEGATION_SETS.get(tx, ctx.account, REGION, identifier)
    if await count_zones(tx, found) >= limits.MAX_SERVED_ZONES:
        raise AwsError(
            "LimitsExceeded",
            f"A reusable delegation set has at most {limits.MAX_SERVED_ZONES} hosted zones.",
        )
    for _, other in await zones.list_served(tx, "", zone.domain):
        known = await zones.ZONES.find(tx, ctx.account, REGION, other)
        if known is not None and known.delegation_set == identifier:
            raise AwsError(
                "ConflictingDomainExists",
                f"The delegation set {identifier} already serves the hosted zone {other} with the same domain name.",
            )
    tx.put(USES.key(ctx.account, identifier, zone.name), b"")
    return replace(zone, servers=found.servers, delegation_set=identifier)


def leave(tx: Transaction, zone: Zone) -> None:
    """Have a zone that is deleted use its delegation set no more."""
    if zone.delegation_set:
        tx.delete(USES.key(zone.account, zone.delegation_set, zone.name))


async def count_zones(tx: Transaction, found: DelegationSet) -> int:
    """Return how many zones use a delegation set."""
    space = USES.sub(found.account, found.name)
    return len(await tx.range(space.begin, space.end, limit=limits.MAX_SERVED_ZONES))


def to_api(found: DelegationSet) -> dict[str, Any]:
    """Return a delegation set as the API has it."""
    return {
        "Id": f"/delegationset/{found.name}",
        "CallerReference": found.reference,
        "NameServers": list(found.servers),
    }
