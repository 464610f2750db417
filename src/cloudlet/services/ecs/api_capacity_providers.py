"""The operations on capacity providers.

Nobody makes those of Fargate. One's own are of Amazon ECS Managed Instances.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import (
    arns,
    capacity,
    clusters,
    daemons,
    errors,
    instance_requirements,
    managed_instances,
    offsets,
    resource_tags,
    role_rules,
    services,
    tasks,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.capacity_provider_record import CapacityProvider
from cloudlet.services.ecs.managed_states import ACTIVE, DEPROVISIONING, DRAINING

_MAX_DESCRIBED_ITEMS: Final = 100
_MAX_PAGE_ITEMS: Final = 10
_NAME: Final = re.compile(r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", re.ASCII | re.IGNORECASE)


@service.direct("CreateCapacityProvider")
async def create_capacity_provider(ctx: Context, params: Params) -> Result:
    if not _NAME.fullmatch(params["name"]):
        raise errors.InvalidParameter(
            "The specified capacity provider name is not valid. Up to 255 letters, numbers, underscores and hyphens "
            "are allowed, and the name cannot be prefixed with 'aws', 'ecs' or 'fargate'."
        )
    if params.get("autoScalingGroupProvider"):
        raise errors.NotBuilt("Auto Scaling groups (autoScalingGroupProvider)")
    managed = params.get("managedInstancesProvider")
    if managed is None:
        raise errors.InvalidParameter("A capacity provider needs a managedInstancesProvider.")
    if not params.get("cluster"):
        raise errors.InvalidParameter("A cluster must be specified for a managedInstancesProvider.")
    role_rules.check(ctx, "CreateCapacityProvider", params)
    instance_requirements.check(managed)
    await _check_network(ctx, managed)
    return await ctx.transact(lambda tx: _create(ctx, tx, params, managed))


async def _create(ctx: Context, tx: Transaction, params: Params, managed: dict[str, Any]) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
    if await managed_instances.find_provider(tx, ctx.account, ctx.region, params["name"]) is not None:
        raise errors.ClientError("A capacity provider with the specified name already exists.")
    made = CapacityProvider(ctx.account, ctx.region, params["name"], cluster.name, ctx.now(), managed)
    managed_instances.save_provider(tx, made)
    tags.save(tx, made.arn, resource_tags.add({}, params.get("tags")))
    clusters.save(tx, replace(cluster, capacity_providers=[*cluster.capacity_providers, made.name]))
    await managed_instances.provision(tx, made, ctx.now())
    return {"capacityProvider": await _describe(tx, made, {"TAGS"})}


@service.direct("UpdateCapacityProvider")
async def update_capacity_provider(ctx: Context, params: Params) -> Result:
    if params.get("autoScalingGroupProvider"):
        raise errors.NotBuilt("Auto Scaling groups (autoScalingGroupProvider)")
    given = params.get("managedInstancesProvider")
    if given is None:
        raise errors.InvalidParameter("An update of a capacity provider needs a managedInstancesProvider.")
    role_rules.check(ctx, "UpdateCapacityProvider", params)
    before = await ctx.transact(lambda tx: _get(ctx, tx, params["name"], params.get("cluster")))
    await _check_network(ctx, _change(before.managed, given))
    return await ctx.transact(lambda tx: _update(ctx, tx, params, given))


async def _update(ctx: Context, tx: Transaction, params: Params, given: Mapping[str, Any]) -> Result:
    found = await _get(ctx, tx, params["name"], params.get("cluster"))
    managed = _change(found.managed, given)
    instance_requirements.check(managed)
    changed = replace(found, managed=managed, update_status="UPDATE_COMPLETE")
    managed_instances.save_provider(tx, changed)
    return {"capacityProvider": await _describe(tx, changed, {"TAGS"})}


def _change(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `managedInstancesProvider` with what an update gives, also of its launch template."""
    template = {**known["instanceLaunchTemplate"], **(given.get("instanceLaunchTemplate") or {})}
    return {**known, **given, "instanceLaunchTemplate": template}


async def _check_network(ctx: Context, managed: Mapping[str, Any]) -> None:
    """Raise InvalidParameterException unless subnets and security groups are there, in one VPC."""
    network = managed["instanceLaunchTemplate"].get("networkConfiguration") or {}
    if not network.get("subnets"):
        raise errors.InvalidParameter("subnets can not be empty.")
    if not ctx.block.cloud.has("ec2"):
        return
    try:
        found: Any = await ctx.call("ec2", "DescribeSubnets", {"SubnetIds": network["subnets"]})
        listed = [*found["Subnets"]]
        if network.get("securityGroups"):
            found = await ctx.call("ec2", "DescribeSecurityGroups", {"GroupIds": network["securityGroups"]})
            listed += found["SecurityGroups"]
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        raise errors.InvalidParameter(f"{error.message} (ErrorCode: {error.code})") from None
    if len({each["VpcId"] for each in listed}) > 1:
        raise errors.InvalidParameter("All subnets and security groups must be in the same VPC.")


@service.operation("DeleteCapacityProvider")
async def delete_capacity_provider(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Delete a capacity provider that no service and no daemon uses. Its tasks are stopped."""
    name = _parse_name(ctx, params["capacityProvider"])
    if name in capacity.PROVIDERS:
        raise errors.InvalidParameter("The specified capacity provider is reserved and cannot be deleted.")
    found = await _get(ctx, tx, name, params.get("cluster"))
    if found.status == DEPROVISIONING:
        return {"capacityProvider": await _describe(tx, found, {"TAGS"})}
    cluster = await clusters.get(tx, ctx.account, ctx.region, found.cluster)
    is_default = any(each["capacityProvider"] == name for each in cluster.default_strategy)
    if is_default or await services.has_provider(tx, cluster, name) or await daemons.has_provider(tx, cluster, name):
        raise errors.ClientError(
            "The capacity provider cannot be deleted because it is used by a capacity provider strategy or a daemon. "
            "Remove it there and try again."
        )
    gone = replace(found, status=DEPROVISIONING, update_status="DELETE_IN_PROGRESS")
    managed_instances.save_provider(tx, gone)
    left = [each for each in cluster.capacity_providers if each != name]
    clusters.save(tx, replace(cluster, capacity_providers=left))
    for instance in await managed_instances.list_managed(tx, *cluster.key):
        if instance.provider == name:
            managed_instances.change_status(tx, instance, DRAINING, "The capacity provider was deleted.")
    for task in await tasks.list_tasks(tx, *cluster.key):
        if task.capacity_provider == name and not task.daemon:
            tasks.stop_task(tx, task, "The capacity provider was deleted.", "TerminationNotice", ctx.now())
    managed_instances.request(tx, *cluster.key)
    return {"capacityProvider": await _describe(tx, gone, {"TAGS"})}


async def _get(ctx: Context, tx: Transaction, name: str, cluster: str | None) -> CapacityProvider:
    """Return a capacity provider of a cluster, if one is named. Raises InvalidParameterException."""
    found = await managed_instances.get_provider(tx, ctx.account, ctx.region, name)
    if cluster and (await clusters.get(tx, ctx.account, ctx.region, cluster)).name != found.cluster:
        raise errors.InvalidParameter("The specified capacity provider was not found in the specified cluster.")
    return found


def _parse_name(ctx: Context, reference: str) -> str:
    return "/".join(arns.parse_names("capacity-provider", reference, ctx.account, ctx.region))


@service.operation("DescribeCapacityProviders")
async def describe_capacity_providers(ctx: Context, tx: Transaction, params: Params) -> Result:
    own = {each.name: each.cluster for each in await managed_instances.list_providers(tx, ctx.account, ctx.region)}
    names: list[str] = params.get("capacityProviders") or [*capacity.PROVIDERS, *own]
    if params.get("capacityProviders") and len(names) > _MAX_DESCRIBED_ITEMS:
        raise errors.InvalidParameter(f"Capacity providers can have at most {_MAX_DESCRIBED_ITEMS} items.")
    if params.get("cluster"):
        cluster = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
        associated = {*cluster.capacity_providers, *(name for name, place in own.items() if place == cluster.name)}
        names = [name for name in names if _parse_name(ctx, name) in associated]
    page, following = offsets.cut_page(names, params, _MAX_PAGE_ITEMS, _MAX_PAGE_ITEMS)
    found, failures = [], []
    for reference in page:
        described = await _find_described(ctx, tx, reference, {*(params.get("include") or ())})
        if described is None:
            is_name = not reference.startswith("arn:")
            arn = arns.make_arn(ctx.region, ctx.account, "capacity-provider", reference) if is_name else reference
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            found.append(described)
    return {"capacityProviders": found, "failures": failures, "nextToken": following}


async def _find_described(ctx: Context, tx: Transaction, reference: str, included: set[str]) -> dict[str, Any] | None:
    """Return a capacity provider by its name or ARN. Nobody can tag those of Fargate."""
    name = _parse_name(ctx, reference)
    if name in capacity.PROVIDERS:
        arn = arns.make_arn(ctx.region, ctx.account, "capacity-provider", name)
        return {"capacityProviderArn": arn, "name": name, "status": ACTIVE, "type": name, "tags": []}
    found = await managed_instances.find_provider(tx, ctx.account, ctx.region, name)
    return None if found is None else await _describe(tx, found, included)


async def _describe(tx: Transaction, provider: CapacityProvider, included: set[str]) -> dict[str, Any]:
    known = await tags.load(tx, provider.arn) if "TAGS" in included else {}
    return {
        "capacityProviderArn": provider.arn,
        "name": provider.name,
        "cluster": arns.make_arn(provider.region, provider.account, "cluster", provider.cluster),
        "status": provider.status,
        "managedInstancesProvider": provider.managed,
        "updateStatus": provider.update_status,
        "type": capacity.MANAGED,
        "tags": resource_tags.to_api(known),
    }
