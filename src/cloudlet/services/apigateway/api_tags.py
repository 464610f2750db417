"""The operations on tags: of REST APIs and what belongs to them, and of the other types of APIs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.rest import tagged

PathOf = Callable[[Context, Transaction, str], Coroutine[Any, Any, str]]
"""Returns the path of a resource that is there, by its ARN. Raises AwsError."""


def _declare(model: str, path_of: PathOf, arn: str, given: str, keys: str) -> None:
    """Declare the operations of a model, by the members that have the ARN, the tags and the keys."""

    async def key_of(ctx: Context, tx: Transaction, params: Params) -> str:
        return tagging.key(ctx, await path_of(ctx, tx, params[arn]))

    @service.operation(f"{model}TagResource")
    async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
        key = await key_of(ctx, tx, params)
        tags.save(tx, key, tagging.checked(params.get(given), await tags.load(tx, key)))
        return {}

    @service.operation(f"{model}UntagResource")
    async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
        key = await key_of(ctx, tx, params)
        tags.save(tx, key, tags.remove(await tags.load(tx, key), params[keys]))
        return {}

    @service.operation(f"{model}GetTags")
    async def get_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
        # There is no page after the first: the answer has no place for where it would begin.
        return {given: await tags.load(tx, await key_of(ctx, tx, params))}


_declare("", tagged.path_of, "resourceArn", "tags", "tagKeys")
_declare("apigatewayv2:", tagging.path_of, "ResourceArn", "Tags", "TagKeys")
