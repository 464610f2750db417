"""The operations on traffic policies."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.route53 import limits, pages, traffic_policies
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.errors import NoSuchTrafficPolicy
from cloudlet.services.route53.traffic_policies import INSTANCES, POLICIES
from cloudlet.services.route53.traffic_policy_record import PolicyVersion, TrafficPolicy

_LOCATION = "https://route53.amazonaws.com/2013-04-01/trafficpolicy"


async def list_policies(ctx: Context, tx: Transaction) -> list[TrafficPolicy]:
    """Return all traffic policies of the caller's."""
    space = POLICIES.get_space(ctx.account, REGION)
    return [POLICIES.decode(raw) for _, raw in await pages.read_rows(tx, space.begin, space.end)]


@service.operation("CreateTrafficPolicy")
async def create_traffic_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    document = traffic_policies.parse_document(params["Document"])
    there = await list_policies(ctx, tx)
    if any(each.title == params["Name"] for each in there):
        raise AwsError(
            "TrafficPolicyAlreadyExists", "A traffic policy that has the same value for Name already exists."
        )
    if len(there) >= limits.MAX_TRAFFIC_POLICIES:
        raise AwsError(
            "TooManyTrafficPolicies", f"An account has at most {limits.MAX_TRAFFIC_POLICIES} traffic policies."
        )
    version = PolicyVersion(params["Document"], params.get("Comment"))
    made = TrafficPolicy(ctx.account, uuid4(), params["Name"], document["RecordType"], 1, {1: version})
    POLICIES.save(tx, made)
    return {"TrafficPolicy": _describe(made, 1), "Location": f"{_LOCATION}/{made.name}/1"}


@service.operation("CreateTrafficPolicyVersion")
async def create_traffic_policy_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await POLICIES.get(tx, ctx.account, REGION, params["Id"])
    document = traffic_policies.parse_document(params["Document"])
    if document["RecordType"] != found.type:
        raise traffic_policies.InvalidTrafficPolicyDocument(f"The RecordType of a new version is {found.type}, too.")
    if found.latest >= limits.MAX_TRAFFIC_POLICY_VERSIONS:
        raise AwsError(
            "TooManyTrafficPolicyVersionsForCurrentPolicy",
            f"A traffic policy has at most {limits.MAX_TRAFFIC_POLICY_VERSIONS} versions.",
        )
    number = found.latest + 1
    version = PolicyVersion(params["Document"], params.get("Comment"))
    changed = replace(found, latest=number, versions={**found.versions, number: version})
    POLICIES.save(tx, changed)
    return {"TrafficPolicy": _describe(changed, number), "Location": f"{_LOCATION}/{found.name}/{number}"}


def get_version(found: TrafficPolicy, number: int) -> PolicyVersion:
    """Return a version of a traffic policy. Raises NoSuchTrafficPolicy."""
    version = found.versions.get(number)
    if version is None:
        raise NoSuchTrafficPolicy(f"{found.name} and version {number}")
    return version


@service.operation("GetTrafficPolicy")
async def get_traffic_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await POLICIES.get(tx, ctx.account, REGION, params["Id"])
    get_version(found, params["Version"])
    return {"TrafficPolicy": _describe(found, params["Version"])}


@service.operation("UpdateTrafficPolicyComment")
async def update_traffic_policy_comment(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, number = await POLICIES.get(tx, ctx.account, REGION, params["Id"]), params["Version"]
    version = replace(get_version(found, number), comment=params["Comment"])
    changed = replace(found, versions={**found.versions, number: version})
    POLICIES.save(tx, changed)
    return {"TrafficPolicy": _describe(changed, number)}


@service.operation("DeleteTrafficPolicy")
async def delete_traffic_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, number = await POLICIES.get(tx, ctx.account, REGION, params["Id"]), params["Version"]
    get_version(found, number)
    space = INSTANCES.get_space(ctx.account, REGION)
    for _, raw in await pages.read_rows(tx, space.begin, space.end):
        instance = INSTANCES.decode(raw)
        if (instance.policy, instance.version) == (found.name, number):
            raise AwsError(
                "TrafficPolicyInUse",
                "One or more traffic policy instances were created by using the specified traffic policy.",
            )
    kept = {each: version for each, version in found.versions.items() if each != number}
    if kept:
        POLICIES.save(tx, replace(found, versions=kept))
    else:
        POLICIES.remove(tx, found)
    return {}


@service.operation("ListTrafficPolicies")
async def list_traffic_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit, marker = pages.read_limit(params), params.get("TrafficPolicyIdMarker") or ""
    found = [each for each in await list_policies(ctx, tx) if each.name >= marker]
    summaries = [
        {
            "Id": each.name,
            "Name": each.title,
            "Type": each.type,
            "LatestVersion": each.latest,
            "TrafficPolicyCount": len(each.versions),
        }
        for each in found[:limit]
    ]
    return {
        "TrafficPolicySummaries": summaries,
        "IsTruncated": len(found) > limit,
        "TrafficPolicyIdMarker": found[limit].name if len(found) > limit else "",
        "MaxItems": str(limit),
    }


@service.operation("ListTrafficPolicyVersions")
async def list_traffic_policy_versions(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit, marker = pages.read_limit(params), params.get("TrafficPolicyVersionMarker") or "0"
    found = await POLICIES.get(tx, ctx.account, REGION, params["Id"])
    numbers = [number for number in sorted(found.versions) if number >= int(marker)]
    return {
        "TrafficPolicies": [_describe(found, number) for number in numbers[:limit]],
        "IsTruncated": len(numbers) > limit,
        "TrafficPolicyVersionMarker": str(numbers[limit]) if len(numbers) > limit else "",
        "MaxItems": str(limit),
    }


def _describe(found: TrafficPolicy, number: int) -> dict[str, Any]:
    version = found.versions[number]
    shown = {
        "Id": found.name,
        "Version": number,
        "Name": found.title,
        "Type": found.type,
        "Document": version.document,
    }
    return shown if version.comment is None else {**shown, "Comment": version.comment}
