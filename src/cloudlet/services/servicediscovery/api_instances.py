"""The operations on instances."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.servicediscovery import attributes, errors, limits, storing
from cloudlet.services.servicediscovery.attributes import HEALTHY
from cloudlet.services.servicediscovery.block import service
from cloudlet.services.servicediscovery.errors import InvalidInput
from cloudlet.services.servicediscovery.health import read_health
from cloudlet.services.servicediscovery.map_record import DiscoveryService, Instance
from cloudlet.services.servicediscovery.reconciling import INSTANCE_RECONCILER
from cloudlet.services.servicediscovery.states import DELETING, UPDATING, VISIBLE, check_state
from cloudlet.services.servicediscovery.storing import get_instance, get_service


@service.operation("RegisterInstance")
async def register_instance(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    name, given, creator = params["InstanceId"], params["Attributes"], params.get("CreatorRequestId") or ""
    attributes.validate_attributes(found, given)
    before = await storing.find_instance(tx, ctx.account, ctx.region, found.name, name)
    if before is not None and before.operation:
        if creator and before.creator == creator:
            return {"OperationId": before.operation}
        raise errors.DuplicateRequest(before.operation)
    operation = storing.begin_operation(
        ctx,
        tx,
        "REGISTER_INSTANCE",
        found.namespace,
        found.name,
        INSTANCE=name,
        SERVICE=found.name,
        NAMESPACE=found.namespace,
    )
    health = given.get(attributes.INITIAL_HEALTH, HEALTHY) if found.has_custom_health else ""
    made = Instance(ctx.account, ctx.region, found.name, name, given, creator, health, operation=operation)
    if before is None:
        if await storing.count_instances(tx, found.name) >= limits.MAX_INSTANCES:
            raise errors.QuotaExcess(f"A service has at most {limits.MAX_INSTANCES} instances.")
        storing.record_change(tx, found.name, 1)
    else:
        made = replace(
            made,
            health_check=before.health_check,
            registration=before.registration + 1,
            state=check_state(before.state, UPDATING),
        )
        storing.record_change(tx, found.name)
    storing.save_instance(tx, made)
    INSTANCE_RECONCILER.request(tx, ctx.account, ctx.region, found.name, name)
    return {"OperationId": operation}


@service.operation("DeregisterInstance")
async def deregister_instance(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    instance = await get_instance(tx, found, params["InstanceId"])
    if instance.operation:
        raise errors.DuplicateRequest(instance.operation)
    operation = storing.begin_operation(
        ctx,
        tx,
        "DEREGISTER_INSTANCE",
        found.namespace,
        found.name,
        INSTANCE=instance.id,
        SERVICE=found.name,
        NAMESPACE=found.namespace,
    )
    storing.save_instance(tx, replace(instance, state=check_state(instance.state, DELETING), operation=operation))
    storing.record_change(tx, found.name)
    INSTANCE_RECONCILER.request(tx, ctx.account, ctx.region, found.name, instance.id)
    return {"OperationId": operation}


def _describe(instance: Instance) -> dict[str, Any]:
    return {"Id": instance.id, "Attributes": instance.attributes, "CreatedByAccount": instance.account}


@service.operation("GetInstance")
async def get_instance_operation(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    instance = await get_instance(tx, found, params["InstanceId"])
    shown = _describe(instance)
    if instance.creator:
        shown["CreatorRequestId"] = instance.creator
    return {"ResourceOwner": found.account, "Instance": shown}


@service.operation("ListInstances")
async def list_instances(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    page, token = await _list_page(tx, found, params)
    return {"ResourceOwner": found.account, "Instances": [_describe(each) for each in page], "NextToken": token}


async def _list_page(tx: Transaction, found: DiscoveryService, params: Params) -> tuple[list[Instance], str | None]:
    """Return a page of the instances that are there."""

    def select(raw: bytes) -> Instance | None:
        instance = storing.decode_instance(raw)
        return instance if instance.state in VISIBLE else None

    space = storing.INSTANCES.sub(found.account, found.region, found.name)
    limit, wrong = params.get("MaxResults") or limits.PAGE, InvalidInput("Invalid NextToken.")
    return await listing.list_page(tx, space, params.get("NextToken"), limit, select, wrong)


@service.direct("GetInstancesHealthStatus")
async def get_instances_health_status(ctx: Context, params: Params) -> Result:
    async def read(tx: Transaction) -> tuple[DiscoveryService, list[Instance], str | None]:
        found = await get_service(ctx, tx, params["ServiceId"])
        if not params.get("Instances"):
            return found, *await _list_page(tx, found, params)
        return found, [await get_instance(tx, found, each) for each in params["Instances"]], None

    found, page, token = await ctx.transact(read)
    states = await asyncio.gather(*(read_health(ctx.block, found, each) for each in page))
    return {"Status": {each.id: state for each, state in zip(page, states, strict=True)}, "NextToken": token}


@service.operation("UpdateInstanceCustomHealthStatus")
async def update_instance_custom_health_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    instance = await get_instance(tx, found, params["InstanceId"])
    if not found.has_custom_health:
        raise AwsError("CustomHealthNotFound", f"The service {found.name} has no custom health check.")
    if instance.custom_health != params["Status"]:
        storing.save_instance(tx, replace(instance, custom_health=params["Status"]))
        storing.record_change(tx, found.name)
        INSTANCE_RECONCILER.request(tx, ctx.account, ctx.region, found.name, instance.id)
    return {}
