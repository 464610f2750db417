"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Params, Result, Transaction, tags
from cloudlet.services.pipes import errors, pipe, tagging
from cloudlet.services.pipes.block import service


async def _check_pipe(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError for an ARN of no pipe of the caller's."""
    arn = Arn.parse(text)
    kind, _, name = arn.resource.partition("/")
    if (arn.service, arn.account, arn.region, kind) != ("pipes", ctx.account, ctx.region, "pipe"):
        raise errors.validation(f"{text} is not the ARN of a pipe of this account and region.")
    if await pipe.find(tx, ctx.account, ctx.region, name) is None:
        raise errors.not_found(f"Pipe {name}")


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["resourceArn"]
    await _check_pipe(ctx, tx, arn)
    tags.save(tx, arn, tagging.checked(params["tags"], await tags.of(tx, arn)))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["resourceArn"]
    await _check_pipe(ctx, tx, arn)
    tags.save(tx, arn, tags.without(await tags.of(tx, arn), params["tagKeys"]))
    return {}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _check_pipe(ctx, tx, params["resourceArn"])
    return {"tags": await tags.of(tx, params["resourceArn"])}
