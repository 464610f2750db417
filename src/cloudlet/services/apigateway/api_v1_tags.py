"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction, tags
from cloudlet.services.apigateway import tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.rest import tagged


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = tagging.key(ctx, await tagged.path_of(ctx, tx, params["resourceArn"]))
    tags.save(tx, key, tagging.checked(params["tags"], await tags.of(tx, key)))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = tagging.key(ctx, await tagged.path_of(ctx, tx, params["resourceArn"]))
    tags.save(tx, key, tags.without(await tags.of(tx, key), params["tagKeys"]))
    return {}


@service.operation("GetTags")
async def get_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    # There is no page after the first: the answer has no place for where it would begin.
    return {"tags": await tags.of(tx, tagging.key(ctx, await tagged.path_of(ctx, tx, params["resourceArn"])))}
