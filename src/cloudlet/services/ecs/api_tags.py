"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import (
    clusters,
    daemons,
    definitions,
    errors,
    gateways,
    instances,
    managed_instances,
    resource_tags,
    services,
    task_sets,
    tasks,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.definition_record import OF_DAEMONS, OF_TASKS


async def _check(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError unless an ARN is that of something of the caller's with tags."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.InvalidParameter(f"Invalid identifier: {text}") from None
    kind, *names = arn.resource.split("/")
    if (arn.service, arn.account, arn.region) != ("ecs", ctx.account, ctx.region):
        raise errors.InvalidParameter(f"Invalid identifier: {text}")
    if kind == "cluster":
        await clusters.get(tx, ctx.account, ctx.region, text)
    elif not await _is_there(ctx, tx, kind, names, text):
        raise errors.InvalidParameter(
            "The specified resource is not found. Specify a valid resource ARN and try again."
        )


async def _is_there(ctx: Context, tx: Transaction, kind: str, names: list[str], text: str) -> bool:
    where = (tx, ctx.account, ctx.region)
    if kind in (OF_TASKS, OF_DAEMONS):
        return await definitions.find(*where, text, kind=kind) is not None
    if kind == "capacity-provider":
        return await managed_instances.find_provider(*where, "/".join(names)) is not None
    if kind == "gateway":
        return await gateways.find(*where, text) is not None
    cluster = await clusters.find(*where, names[0])
    if cluster is None or len(names) < 2:
        return False
    if kind == "container-instance":
        return await instances.find(tx, cluster, names[1]) is not None
    if kind == "daemon":
        return await daemons.find(*where, cluster.name, names[1]) is not None
    if kind == "task":
        return await tasks.find(*where, cluster.name, names[1]) is not None
    if kind == "service":
        return await services.find(*where, cluster.name, names[1]) is not None
    return kind == "task-set" and await task_sets.is_there(tx, cluster, names[1:])


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["resourceArn"]
    await _check(ctx, tx, arn)
    tags.save(tx, arn, resource_tags.add(await tags.load(tx, arn), params["tags"]))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["resourceArn"]
    await _check(ctx, tx, arn)
    tags.save(tx, arn, tags.remove(await tags.load(tx, arn), params["tagKeys"]))
    return {}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _check(ctx, tx, params["resourceArn"])
    return {"tags": resource_tags.to_api(await tags.load(tx, params["resourceArn"]))}
