"""The operations on traffic policy instances."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.route53 import limits, pages, record_sets, traffic_policies, zones
from cloudlet.services.route53.api_traffic_policies import get_version
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.changing import to_domain
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.health_checks import HEALTH_CHECKS
from cloudlet.services.route53.linked_services import check_manager
from cloudlet.services.route53.names import MalformedName, is_within, parse_name
from cloudlet.services.route53.traffic_policies import INSTANCES, POLICIES
from cloudlet.services.route53.traffic_policy_record import TrafficPolicyInstance
from cloudlet.services.route53.zone_record import Zone
from cloudlet.services.route53.zones import ZONES, get_zone


async def _list_all(ctx: Context, tx: Transaction) -> list[TrafficPolicyInstance]:
    space = INSTANCES.get_space(ctx.account, REGION)
    return [INSTANCES.decode(raw) for _, raw in await pages.read_rows(tx, space.begin, space.end)]


async def _apply(ctx: Context, tx: Transaction, zone: Zone, instance: TrafficPolicyInstance) -> None:
    """Make the records of an instance, in place of those that it has."""
    await _clear(tx, zone, instance)
    policy = await POLICIES.get(tx, ctx.account, REGION, instance.policy)
    document = json.loads(get_version(policy, instance.version).document)
    root, others = traffic_policies.make_records(document, instance.name, instance.domain, instance.ttl)
    for found in (root, *others):
        if found.health_check:
            await HEALTH_CHECKS.get(tx, ctx.account, REGION, found.health_check)
    for found in others:
        record_sets.save(tx, instance.name, found)
    there = await record_sets.list_at(tx, zone.name, instance.domain)
    if any(each.type in (root.type, "CNAME") or root.type == "CNAME" for each in there):
        raise AwsError(
            "TrafficPolicyInstanceAlreadyExists",
            f"There is already a record or a traffic policy instance with the name {instance.domain} and the type "
            f"{root.type}.",
        )
    record_sets.save(tx, zone.name, root)
    zones.count_records(tx, await ZONES.get(tx, zone.account, REGION, zone.name), 1)
    INSTANCES.save(tx, instance)
    zones.begin_change(ctx, tx)


async def _clear(tx: Transaction, zone: Zone, instance: TrafficPolicyInstance) -> None:
    """Delete the records of an instance."""
    space = record_sets.RECORD_SETS.sub(instance.name)
    tx.delete_range(space.begin, space.end)
    for found in await record_sets.list_at(tx, zone.name, instance.domain):
        if found.traffic_policy_instance == instance.name:
            record_sets.remove(tx, zone.name, found)
            zones.count_records(tx, await ZONES.get(tx, zone.account, REGION, zone.name), -1)


@service.operation("CreateTrafficPolicyInstance")
async def create_traffic_policy_instance(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone = await get_zone(ctx, tx, params["HostedZoneId"])
    check_manager(ctx, zone)
    try:
        domain = to_domain(params["Name"])
    except MalformedName as error:
        raise InvalidInput(f"FATAL problem: {error} encountered with '{params['Name']}'") from None
    if not is_within(parse_name(domain), parse_name(zone.domain)):
        raise InvalidInput(f"The name {domain} is not within the hosted zone {zone.domain}")
    policy = await POLICIES.get(tx, ctx.account, REGION, params["TrafficPolicyId"])
    get_version(policy, params["TrafficPolicyVersion"])
    if len(await _list_all(ctx, tx)) >= limits.MAX_TRAFFIC_POLICY_INSTANCES:
        raise AwsError(
            "TooManyTrafficPolicyInstances",
            f"An account has at most {limits.MAX_TRAFFIC_POLICY_INSTANCES} traffic policy instances.",
        )
    made = TrafficPolicyInstance(
        ctx.account, uuid4(), zone.name, domain, params["TTL"], policy.name, params["TrafficPolicyVersion"], policy.type
    )
    await _apply(ctx, tx, zone, made)
    location = f"https://route53.amazonaws.com/2013-04-01/trafficpolicyinstance/{made.name}"
    return {"TrafficPolicyInstance": _describe(made), "Location": location}


@service.operation("UpdateTrafficPolicyInstance")
async def update_traffic_policy_instance(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await INSTANCES.get(tx, ctx.account, REGION, params["Id"])
    policy = await POLICIES.get(tx, ctx.account, REGION, params["TrafficPolicyId"])
    get_version(policy, params["TrafficPolicyVersion"])
    if policy.type != found.type:
        raise AwsError(
            "ConflictingTypes",
            "You tried to update a traffic policy instance by using a traffic policy version that has a "
            "different DNS type "
            "than the current type for the instance.",
        )
    changed = replace(found, ttl=params["TTL"], policy=policy.name, version=params["TrafficPolicyVersion"])
    await _apply(ctx, tx, await get_zone(ctx, tx, found.zone), changed)
    return {"TrafficPolicyInstance": _describe(changed)}


@service.operation("DeleteTrafficPolicyInstance")
async def delete_traffic_policy_instance(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await INSTANCES.get(tx, ctx.account, REGION, params["Id"])
    await _clear(tx, await get_zone(ctx, tx, found.zone), found)
    INSTANCES.remove(tx, found)
    zones.begin_change(ctx, tx)
    return {}


@service.operation("GetTrafficPolicyInstance")
async def get_traffic_policy_instance(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"TrafficPolicyInstance": _describe(await INSTANCES.get(tx, ctx.account, REGION, params["Id"]))}


@service.operation("GetTrafficPolicyInstanceCount")
async def get_traffic_policy_instance_count(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"TrafficPolicyInstanceCount": len(await _list_all(ctx, tx))}


@service.operation("ListTrafficPolicyInstances")
async def list_traffic_policy_instances(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _make_page(params, await _list_all(ctx, tx))


@service.operation("ListTrafficPolicyInstancesByHostedZone")
async def list_traffic_policy_instances_by_hosted_zone(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone = await get_zone(ctx, tx, params["HostedZoneId"])
    return _make_page(params, [each for each in await _list_all(ctx, tx) if each.zone == zone.name], with_zone=False)


@service.operation("ListTrafficPolicyInstancesByPolicy")
async def list_traffic_policy_instances_by_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await POLICIES.get(tx, ctx.account, REGION, params["TrafficPolicyId"])
    wanted = (policy.name, params["TrafficPolicyVersion"])
    return _make_page(params, [each for each in await _list_all(ctx, tx) if (each.policy, each.version) == wanted])


def _make_page(params: Params, found: Sequence[TrafficPolicyInstance], *, with_zone: bool = True) -> dict[str, Any]:
    """Return a page of instances, in the order of their zones, names and types."""
    limit = pages.read_limit(params)
    zone = record_sets.to_id(params.get("HostedZoneIdMarker") or "") if with_zone else ""
    name, kind = (
        params.get("TrafficPolicyInstanceNameMarker") or "",
        params.get("TrafficPolicyInstanceTypeMarker") or "",
    )
    ordered = sorted(found, key=lambda each: _sort_key(each, with_zone))
    rest = [each for each in ordered if _sort_key(each, with_zone) >= (zone, name, kind)]
    shown: dict[str, Any] = {
        "TrafficPolicyInstances": [_describe(each) for each in rest[:limit]],
        "IsTruncated": len(rest) > limit,
        "MaxItems": str(limit),
    }
    if len(rest) > limit:
        following = rest[limit]
        shown["TrafficPolicyInstanceNameMarker"] = following.domain
        shown["TrafficPolicyInstanceTypeMarker"] = following.type
        if with_zone:
            shown["HostedZoneIdMarker"] = following.zone
    return shown


def _sort_key(found: TrafficPolicyInstance, with_zone: bool) -> tuple[str, str, str]:
    return (found.zone if with_zone else "", found.domain, found.type)


def _describe(found: TrafficPolicyInstance) -> dict[str, Any]:
    return {
        "Id": found.name,
        "HostedZoneId": found.zone,
        "Name": found.domain,
        "TTL": found.ttl,
        "State": "Applied",
        "Message": "",
        "TrafficPolicyId": found.policy,
        "TrafficPolicyVersion": found.version,
        "TrafficPolicyType": found.type,
    }
