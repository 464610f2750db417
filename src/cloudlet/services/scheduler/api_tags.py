"""The operations on tags, which schedule groups have."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Params, Result, Transaction, tags
from cloudlet.services.scheduler import errors, group, tagging
from cloudlet.services.scheduler.block import service


async def _check_group(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError for an ARN of no group of the caller's."""
    arn = Arn.parse(text)
    kind, _, name = arn.resource.partition("/")
    if (arn.service, arn.account, arn.region, kind) != ("scheduler", ctx.account, ctx.region, "schedule-group"):
        raise errors.validation(f"Invalid ResourceArn {text}.")
    await group.get(ctx, tx, name)


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["ResourceArn"]
    await _check_group(ctx, tx, arn)
    tags.save(tx, arn, tagging.checked(params["Tags"], await tags.of(tx, arn)))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["ResourceArn"]
    await _check_group(ctx, tx, arn)
    tags.save(tx, arn, tags.without(await tags.of(tx, arn), params["TagKeys"]))
    return {}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _check_group(ctx, tx, params["ResourceArn"])
    return {"Tags": tags.shown(await tags.of(tx, params["ResourceArn"]))}
