"""The operations on task sets, of services with an external deployment controller."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import (
    arns,
    clusters,
    definitions,
    deployment_start,
    errors,
    load_balancer_rules,
    network_rules,
    resource_tags,
    role_rules,
    service_rules,
    service_scheduler,
    service_shape,
    services,
    task_sets,
    tasks,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.capacity import Choice
from cloudlet.services.ecs.deployment_states import ROLLING
from cloudlet.services.ecs.load_balancer_rules import TargetTypes
from cloudlet.services.ecs.service_record import ACTIVE, DRAINING, PRIMARY, Service, TaskSet

_MAX_SETS = 5


async def _get_service(ctx: Context, tx: Transaction, params: Params) -> Service:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
    found = await services.get_active(tx, cluster, params["service"])
    if found.controller != "EXTERNAL":
        raise errors.InvalidParameter("The service does not have an EXTERNAL deployment controller.")
    return found


def _read_scale(params: Params) -> float:
    scale = float((params.get("scale") or {}).get("value") or 0.0)
    if not 0 <= scale <= 100:
        raise errors.InvalidParameter("The scale of a task set must be between 0 and 100 percent.")
    return scale


async def _answer(tx: Transaction, changed: Service, task_set: TaskSet) -> Result:
    """Write a service with a changed task set; return what operations answer."""
    services.save(tx, changed)
    service_scheduler.request(tx, *changed.key)
    return {"taskSet": await _describe(tx, changed, task_set, True)}


async def _describe(tx: Transaction, found: Service, task_set: TaskSet, has_tags: bool) -> dict[str, Any]:
    live = await tasks.list_service_tasks(tx, *found.key)
    shape = service_shape.describe_task_set(found, task_set, live)
    if has_tags:
        shape["tags"] = resource_tags.to_api(await tags.load(tx, shape["taskSetArn"]))
    return shape


@service.direct("CreateTaskSet")
async def create_task_set(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "CreateTaskSet", params)
    await network_rules.check_subnets(ctx, params)
    types = await load_balancer_rules.load_types(ctx, params)
    return await ctx.transact(lambda tx: _create(ctx, tx, params, types))


async def _create(ctx: Context, tx: Transaction, params: Params, types: TargetTypes) -> Result:
    found = await _get_service(ctx, tx, params)
    service_rules.refuse_unsupported(params)
    token = params.get("clientToken") or ""
    for known in found.task_sets:
        if token and known.token == token:
            return {"taskSet": await _describe(tx, found, known, True)}
    if len(found.task_sets) >= _MAX_SETS:
        raise errors.QuotaError(f"A service has at most {_MAX_SETS} task sets.")
    cluster = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
    definition = await definitions.get_active(tx, ctx.account, ctx.region, params["taskDefinition"])
    members = service_rules.make_members(params, {}, cluster, definition, found.scheduling)
    choice = Choice(members.get("launchType") or "", members.get("capacityProviderStrategy") or [])
    service_rules.check_placement(found.options, choice, found.scheduling)
    load_balancer_rules.check(members.get("loadBalancers") or [], definition, ROLLING, types)
    made = TaskSet(
        deployment_start.make_starter_id(),
        deployment_start.make_revision(members, ctx.now()),
        ctx.now(),
        ctx.now(),
        scale=_read_scale(params),
        external_id=params.get("externalId") or "",
        token=token,
    )
    tags.save(tx, found.make_arn("task-set", made.id), resource_tags.add({}, params.get("tags")))
    return await _answer(tx, replace(found, task_sets=[*found.task_sets, made], is_steady=False), made)


@service.operation("UpdateTaskSet")
async def update_task_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_service(ctx, tx, params)
    known = task_sets.get(found, params["taskSet"])
    changed = replace(known, scale=_read_scale(params), updated=ctx.now(), is_steady=False)
    return await _answer(tx, _replace(found, changed), changed)


def _replace(found: Service, *changed: TaskSet) -> Service:
    by_id = {each.id: each for each in changed}
    return replace(found, task_sets=[by_id.get(each.id, each) for each in found.task_sets], is_steady=False)


@service.operation("UpdateServicePrimaryTaskSet")
async def update_service_primary_task_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_service(ctx, tx, params)
    chosen = task_sets.get(found, params["primaryTaskSet"])
    if chosen.status == DRAINING:
        raise errors.InvalidParameter("The task set is being deleted.")
    primary = replace(chosen, status=PRIMARY, updated=ctx.now())
    others = [
        replace(each, status=ACTIVE, updated=ctx.now())
        for each in found.task_sets
        if each.status == PRIMARY and each.id != primary.id
    ]
    return await _answer(tx, _replace(found, primary, *others), primary)


@service.operation("DeleteTaskSet")
async def delete_task_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_service(ctx, tx, params)
    known = task_sets.get(found, params["taskSet"])
    if known.scale > 0 and not params.get("force"):
        raise errors.InvalidParameter("The task set cannot be deleted while it is scaled above 0.")
    gone = replace(known, status=DRAINING, updated=ctx.now())
    tags.save(tx, found.make_arn("task-set", gone.id), {})
    return await _answer(tx, _replace(found, gone), gone)


@service.operation("DescribeTaskSets")
async def describe_task_sets(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_service(ctx, tx, params)
    has_tags = "TAGS" in (params.get("include") or ())
    described, failures = [], []
    for reference in params.get("taskSets") or [each.id for each in found.task_sets]:
        known = task_sets.find(found, reference)
        if known is not None:
            described.append(await _describe(tx, found, known, has_tags))
        else:
            is_id = not reference.startswith("arn:")
            names = ("task-set", found.cluster, found.name, reference)
            arn = arns.make_arn(ctx.region, ctx.account, *names) if is_id else reference
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"taskSets": described, "failures": failures}
