"""The operations on reusable delegation sets."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.route53 import delegation_sets, errors, limits, pages, record_sets, zones
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.zone_record import DelegationSet
from cloudlet.services.route53.zones import DELEGATION_SETS, ZONES


@service.operation("CreateReusableDelegationSet")
async def create_reusable_delegation_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    reference = zones.REFERENCES.key("delegation-set", ctx.account, params["CallerReference"])
    if await tx.get(reference) is not None:
        raise AwsError(
            "DelegationSetAlreadyCreated",
            "A delegation set with the same owner and caller reference combination has already been created.",
        )
    space = DELEGATION_SETS.get_space(ctx.account, REGION)
    if len(await tx.range(space.begin, space.end, limit=limits.MAX_DELEGATION_SETS)) == limits.MAX_DELEGATION_SETS:
        raise errors.QuotaExcess(f"An account has at most {limits.MAX_DELEGATION_SETS} reusable delegation sets.")
    made = DelegationSet(ctx.account, zones.make_id("N"), params["CallerReference"], zones.make_servers())
    if params.get("HostedZoneId"):
        zone = await ZONES.find(tx, ctx.account, REGION, record_sets.to_id(params["HostedZoneId"]))
        if zone is None or zone.is_private:
            raise AwsError("HostedZoneNotFound", "The specified HostedZone can't be found.")
        if zone.delegation_set:
            raise AwsError(
                "DelegationSetAlreadyReusable", "The specified delegation set has already been marked as reusable."
            )
        made = replace(made, servers=zone.servers)
        ZONES.save(tx, replace(zone, delegation_set=made.name))
        tx.put(delegation_sets.USES.key(ctx.account, made.name, zone.name), b"")
    DELEGATION_SETS.save(tx, made)
    tx.put(reference, b"")
    return {
        "DelegationSet": delegation_sets.to_api(made),
        "Location": f"https://route53.amazonaws.com/2013-04-01/delegationset/{made.name}",
    }


@service.operation("GetReusableDelegationSet")
async def get_reusable_delegation_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await DELEGATION_SETS.get(tx, ctx.account, REGION, record_sets.to_id(params["Id"]))
    return {"DelegationSet": delegation_sets.to_api(found)}


@service.operation("DeleteReusableDelegationSet")
async def delete_reusable_delegation_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await DELEGATION_SETS.get(tx, ctx.account, REGION, record_sets.to_id(params["Id"]))
    if await delegation_sets.count_zones(tx, found):
        raise AwsError(
            "DelegationSetInUse",
            "The specified delegation contains associated hosted zones which must be deleted before the reusable "
            "delegation set can be deleted.",
        )
    tx.delete(zones.REFERENCES.key("delegation-set", ctx.account, found.reference))
    DELEGATION_SETS.remove(tx, found)
    return {}


@service.operation("ListReusableDelegationSets")
async def list_reusable_delegation_sets(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit, marker = pages.read_limit(params), params.get("Marker")
    space = DELEGATION_SETS.get_space(ctx.account, REGION)
    begin = space.key(record_sets.to_id(marker)) if marker else space.begin
    rows = await tx.range(begin, space.end, limit=limit + 1)
    found = [DELEGATION_SETS.decode(raw) for _, raw in rows]
    shown: dict[str, Any] = {
        "DelegationSets": [delegation_sets.to_api(each) for each in found[:limit]],
        "Marker": marker or "",
        "IsTruncated": len(found) > limit,
        "MaxItems": str(limit),
    }
    return {**shown, "NextMarker": found[limit].name} if len(found) > limit else shown
