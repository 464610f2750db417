"""The operations that tell quotas, and how much of them is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.route53 import delegation_sets, limits, record_sets, traffic_policies
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.health_checks import HEALTH_CHECKS
from cloudlet.services.route53.zones import DELEGATION_SETS, ZONES, get_zone
from cloudlet.store import Subspace

_Space = Callable[[str, str], Subspace]
_OF_ACCOUNTS: Final[dict[str, tuple[int, _Space]]] = {
    "MAX_HEALTH_CHECKS_BY_OWNER": (limits.MAX_HEALTH_CHECKS, HEALTH_CHECKS.get_space),
    "MAX_HOSTED_ZONES_BY_OWNER": (limits.MAX_ZONES, ZONES.get_space),
    "MAX_REUSABLE_DELEGATION_SETS_BY_OWNER": (limits.MAX_DELEGATION_SETS, DELEGATION_SETS.get_space),
    "MAX_TRAFFIC_POLICIES_BY_OWNER": (limits.MAX_TRAFFIC_POLICIES, traffic_policies.POLICIES.get_space),
    "MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER": (
        limits.MAX_TRAFFIC_POLICY_INSTANCES,
        traffic_policies.INSTANCES.get_space,
    ),
}


def _describe(kind: str, value: int, count: int) -> dict[str, Any]:
    return {"Limit": {"Type": kind, "Value": value}, "Count": count}


@service.operation("GetAccountLimit")
async def get_account_limit(ctx: Context, tx: Transaction, params: Params) -> Result:
    kind = params["Type"]
    known = _OF_ACCOUNTS.get(kind)
    if known is None:
        raise InvalidInput(f"Cloudlet has no limit {kind}. See docs/services/route53.md.")
    value, get_space = known
    space = get_space(ctx.account, REGION)
    return _describe(kind, value, len(await tx.range(space.begin, space.end, limit=value)))


@service.operation("GetHostedZoneLimit")
async def get_hosted_zone_limit(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone, kind = await get_zone(ctx, tx, params["HostedZoneId"]), params["Type"]
    if kind == "MAX_RRSETS_BY_ZONE":
        return _describe(kind, limits.MAX_RECORDS, zone.records)
    if not zone.is_private:
        raise AwsError("HostedZoneNotPrivate", "The specified hosted zone is a public hosted zone, not a private one.")
    return _describe(kind, limits.MAX_VPCS, len(zone.vpcs))


@service.operation("GetReusableDelegationSetLimit")
async def get_reusable_delegation_set_limit(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await DELEGATION_SETS.get(tx, ctx.account, REGION, record_sets.to_id(params["DelegationSetId"]))
    count = await delegation_sets.count_zones(tx, found)
    return _describe(params["Type"], limits.MAX_SERVED_ZONES, count)
