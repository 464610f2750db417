"""The operations on hosted zones."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, tags
from cloudlet.services.route53 import (
    delegation_sets,
    dnssec_keys,
    errors,
    limits,
    pages,
    query_logging,
    record_sets,
    vpcs,
    zones,
)
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.changing import to_domain
from cloudlet.services.route53.linked_services import check_manager, find_manager
from cloudlet.services.route53.names import MalformedName, parse_name, to_sort_key
from cloudlet.services.route53.zone_record import Vpc, Zone
from cloudlet.services.route53.zones import ZONES, get_zone


def _parse_domain(text: str) -> str:
    try:
        return to_domain(text)
    except MalformedName as error:
        raise errors.InvalidDomainName(text, error.why) from None


@service.direct("CreateHostedZone")
async def create_hosted_zone(ctx: Context, params: Params) -> Result:
    domain = _parse_domain(params["Name"])
    if domain == ".":
        raise errors.InvalidDomainName(params["Name"], "a hosted zone has a name")
    for member in ("EnablePublicDNSFallback", "ChangeGuardrails"):
        if params.get(member):
            raise errors.InvalidInput(f"Cloudlet does not implement {member}. See docs/services/route53.md.")
    config = params.get("HostedZoneConfig") or {}
    if config.get("HostedZoneTier"):
        raise errors.InvalidInput("Cloudlet has no tiers of hosted zones. See docs/services/route53.md.")
    vpc = None if params.get("VPC") is None else vpcs.parse_vpc(params["VPC"])
    if config.get("PrivateZone") and vpc is None:
        raise errors.InvalidInput("When you're creating a private hosted zone, you must specify a VPC.")
    if vpc is not None:
        await vpcs.check_vpc(ctx, vpc)
    return await ctx.transact(lambda tx: _create(ctx, tx, params, domain, vpc))


async def _create(ctx: Context, tx: Transaction, params: Params, domain: str, vpc: Vpc | None) -> dict[str, Any]:
    reference = zones.REFERENCES.key("zone", ctx.account, params["CallerReference"])
    if await tx.get(reference) is not None:
        raise AwsError(
            "HostedZoneAlreadyExists",
            f"A hosted zone has already been created with the specified caller reference: {params['CallerReference']}",
        )
    space = ZONES.get_space(ctx.account, REGION)
    if len(await tx.range(space.begin, space.end, limit=limits.MAX_ZONES)) == limits.MAX_ZONES:
        raise AwsError(
            "TooManyHostedZones",
            f"Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - you already have {limits.MAX_ZONES} hosted zones.",
        )
    comment = (params.get("HostedZoneConfig") or {}).get("Comment")
    zone = Zone(
        ctx.account,
        zones.make_id("Z"),
        domain,
        params["CallerReference"],
        ctx.now(),
        zones.make_servers() if vpc is None else zones.PRIVATE_SERVERS,
        () if vpc is None else (vpc,),
        vpc is not None,
        comment,
        linked_service=find_manager(ctx),
    )
    if vpc is not None:
        if params.get("DelegationSetId"):
            raise errors.InvalidInput("A private hosted zone has no reusable delegation set.")
        await vpcs.check_conflict(tx, zone, vpc)
    elif params.get("DelegationSetId"):
        zone = await delegation_sets.use(ctx, tx, zone, params["DelegationSetId"])
    for record in zones.make_first_records(zone):
        record_sets.save(tx, zone.name, record)
    zone = zones.count_records(tx, zone, 2)
    zones.enter(tx, zone, zone.vpcs)
    tx.put(reference, zone.name.encode())
    shown: dict[str, Any] = {
        "HostedZone": zones.to_api(zone),
        "ChangeInfo": zones.begin_change(ctx, tx),
        "Location": f"https://route53.amazonaws.com/2013-04-01/hostedzone/{zone.name}",
    }
    if vpc is None:
        return {**shown, "DelegationSet": zones.describe_delegation_set(zone)}
    return {**shown, "VPC": vpcs.to_api(vpc)}


@service.operation("GetHostedZone")
async def get_hosted_zone(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone = await get_zone(ctx, tx, params["Id"])
    if zone.is_private:
        return {"HostedZone": zones.to_api(zone), "VPCs": [vpcs.to_api(vpc) for vpc in zone.vpcs]}
    return {"HostedZone": zones.to_api(zone), "DelegationSet": zones.describe_delegation_set(zone)}


@service.operation("DeleteHostedZone")
async def delete_hosted_zone(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone = await get_zone(ctx, tx, params["Id"])
    check_manager(ctx, zone)
    if zone.records > 2:
        raise AwsError(
            "HostedZoneNotEmpty",
            "The specified hosted zone contains non-required resource record sets  and so cannot be deleted.",
        )
    if await dnssec_keys.find(tx, zone.name) is not None:
        raise AwsError(
            "HostedZoneNotEmpty",
            "The specified hosted zone contains DNSSEC Key Signing Keys and so cannot be deleted.",
        )
    logging = await query_logging.find_zone_config(tx, zone.account, zone.name)
    if logging is not None:
        query_logging.remove(tx, logging)
    space = record_sets.RECORD_SETS.sub(zone.name)
    tx.delete_range(space.begin, space.end)
    authorized = vpcs.AUTHORIZATIONS.sub(zone.account, zone.name)
    tx.delete_range(authorized.begin, authorized.end)
    zones.withdraw(tx, zone, zone.vpcs)
    tags.save(tx, f"arn:aws:route53:::hostedzone/{zone.name}", {})
    delegation_sets.leave(tx, zone)
    ZONES.remove(tx, zone)
    return {"ChangeInfo": zones.begin_change(ctx, tx)}


@service.operation("UpdateHostedZoneComment")
async def update_hosted_zone_comment(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone = replace(await get_zone(ctx, tx, params["Id"]), comment=params.get("Comment"))
    ZONES.save(tx, zone)
    return {"HostedZone": zones.to_api(zone)}


async def list_zones(ctx: Context, tx: Transaction) -> list[Zone]:
    """Return all zones of the caller's, by their ids."""
    space = ZONES.get_space(ctx.account, REGION)
    return [ZONES.decode(raw) for _, raw in await pages.read_rows(tx, space.begin, space.end)]


@service.operation("ListHostedZones")
async def list_hosted_zones(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit, marker = pages.read_limit(params), params.get("Marker")
    delegation_set, kind = record_sets.to_id(params.get("DelegationSetId") or ""), params.get("HostedZoneType")
    if delegation_set:
        await zones.DELEGATION_SETS.get(tx, ctx.account, REGION, delegation_set)
    found = [
        zone
        for zone in await list_zones(ctx, tx)
        if zone.name >= (marker or "")
        and (not delegation_set or zone.delegation_set == delegation_set)
        and (kind is None or zone.is_private)
    ]
    shown: dict[str, Any] = {
        "HostedZones": [zones.to_api(zone) for zone in found[:limit]],
        "IsTruncated": len(found) > limit,
        "MaxItems": str(limit),
    }
    if marker is not None:
        shown["Marker"] = marker
    if len(found) > limit:
        shown["NextMarker"] = found[limit].name
    return shown


@service.operation("ListHostedZonesByName")
async def list_hosted_zones_by_name(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit, name, first = pages.read_limit(params), params.get("DNSName"), params.get("HostedZoneId")
    if first is not None and name is None:
        raise errors.InvalidInput("HostedZoneId can be specified only with DNSName.")
    begin = ("", "") if name is None else (to_sort_key(parse_name(_parse_domain(name))), record_sets.to_id(first or ""))
    found = sorted((to_sort_key(parse_name(zone.domain)), zone.name, zone) for zone in await list_zones(ctx, tx))
    rest = [zone for key, identifier, zone in found if (key, identifier) >= begin]
    shown: dict[str, Any] = {
        "HostedZones": [zones.to_api(zone) for zone in rest[:limit]],
        "IsTruncated": len(rest) > limit,
        "MaxItems": str(limit),
    }
    if name is not None:
        shown["DNSName"] = _parse_domain(name)
    if first is not None:
        shown["HostedZoneId"] = first
    if len(rest) > limit:
        shown |= {"NextDNSName": rest[limit].domain, "NextHostedZoneId": rest[limit].name}
    return shown


@service.operation("ListHostedZonesByVPC")
async def list_hosted_zones_by_vpc(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit, vpc = pages.read_limit(params), params["VPCId"]
    wrong = AwsError("InvalidPaginationToken", "The value that you specified to get the second page is not valid.")
    after = page_tokens.parse_page_token(params.get("NextToken"), wrong)
    space = zones.SERVED.sub(vpc)
    begin = space.prefix + after + b"\x00" if after else space.begin
    rows = await tx.range(begin, space.end, limit=limit + 1)
    summaries = []
    for key, account in rows[:limit]:
        _, _, _, identifier = zones.SERVED.unpack(key)
        zone = await ZONES.get(tx, account.decode(), REGION, identifier)
        if Vpc(params["VPCRegion"], vpc) in zone.vpcs:
            owner = {"OwningAccount": zone.account}
            if zone.linked_service is not None:
                owner = {"OwningService": zone.linked_service[0]}
            summaries.append({"HostedZoneId": zone.name, "Name": zone.domain, "Owner": owner})
    shown: dict[str, Any] = {"HostedZoneSummaries": summaries, "MaxItems": str(limit)}
    if len(rows) > limit:
        shown["NextToken"] = page_tokens.make_page_token(rows[limit - 1][0].removeprefix(space.prefix))
    return shown


@service.operation("GetHostedZoneCount")
async def get_hosted_zone_count(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"HostedZoneCount": len(await list_zones(ctx, tx))}


@service.operation("GetChange")
async def get_change(ctx: Context, tx: Transaction, params: Params) -> Result:
    change = await zones.CHANGES.get(tx, ctx.account, REGION, record_sets.to_id(params["Id"]))
    return {"ChangeInfo": zones.describe_change(change)}
