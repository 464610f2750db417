"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction, tags
from cloudlet.services.apigateway import tagging
from cloudlet.services.apigateway.block import service


@service.operation("apigatewayv2:TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = tagging.key(ctx, await tagging.path_of(ctx, tx, params["ResourceArn"]))
    tags.save(tx, key, tagging.checked(params.get("Tags"), await tags.of(tx, key)))
    return {}


@service.operation("apigatewayv2:UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = tagging.key(ctx, await tagging.path_of(ctx, tx, params["ResourceArn"]))
    tags.save(tx, key, tags.without(await tags.of(tx, key), params["TagKeys"]))
    return {}


@service.operation("apigatewayv2:GetTags")
async def get_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    path = await tagging.path_of(ctx, tx, params["ResourceArn"])
    return {"Tags": await tags.of(tx, tagging.key(ctx, path))}
