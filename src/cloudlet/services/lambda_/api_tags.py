"""The operations on tags: of functions, event source mappings and code signing configurations."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.lambda_ import access, errors
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.code import code_signing
from cloudlet.services.lambda_.functions import directory, tagging
from cloudlet.services.lambda_.mappings import mapping


async def _resource(ctx: Context, tx: Transaction, params: Params, action: str) -> str:
    """Return the ARN of what can have tags, and does exist. Raises AwsError."""
    text: str = params["Resource"]
    arn = Arn.parse(text)
    keys = access.list_keys(action, params)
    kind, _, name = arn.resource.partition(":")
    if arn.region != ctx.region or arn.account != ctx.account:
        raise errors.not_found()
    if kind == "function":
        what = directory.named(ctx, text)
        if what.qualifier is not None:
            raise errors.invalid(
                "Tags on function aliases and versions are not supported. Please specify either a function ARN, an "
                "event source mapping ARN or a code signing config ARN."
            )
        await access.authorize(ctx, tx, what, action, keys)
        await directory.function(tx, what.place)
    elif kind == "event-source-mapping":
        await access.authorize_own(ctx, tx, text, action, keys)
        await mapping.get(ctx, tx, name)
    elif kind == "code-signing-config":
        await access.authorize_own(ctx, tx, text, action, keys)
        await code_signing.get(tx, text)
    else:
        raise errors.not_built(f"tags of {kind}")
    return text


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = await _resource(ctx, tx, params, "TagResource")
    tags.save(tx, arn, tagging.checked(params["Tags"], await tags.load(tx, arn)))
    return None


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = await _resource(ctx, tx, params, "UntagResource")
    tags.save(tx, arn, tags.remove(await tags.load(tx, arn), params["TagKeys"]))
    return None


@service.operation("ListTags")
async def list_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = await _resource(ctx, tx, params, "ListTags")
    return {"Tags": await tags.load(tx, arn)}
