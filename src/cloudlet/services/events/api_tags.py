"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Params, Result, Transaction, tags
from cloudlet.services.events import bus, errors, rule, tagging
from cloudlet.services.events.block import service
from cloudlet.services.events.bus import Place


async def _check_resource(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError for an ARN of nothing that can have tags here."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.validation(f"Parameter ResourceARN {text} is not valid.") from None
    kind, _, path = arn.resource.partition("/")
    if (arn.service, arn.account, arn.region) != ("events", ctx.account, ctx.region) or not path:
        raise errors.validation(f"Parameter ResourceARN {text} is not valid.")
    if kind == "rule":
        of, _, name = path.rpartition("/")
        there = await rule.find(tx, Place(ctx.account, ctx.region, of or bus.DEFAULT), name) is not None
    elif kind == "event-bus":
        there = await bus.find(tx, Place(ctx.account, ctx.region, path)) is not None
    else:
        raise errors.validation(f"Parameter ResourceARN {text} is not valid: only rules and event buses have tags.")
    if not there:
        raise errors.not_found(f"{text} does not exist.")


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["ResourceARN"]
    await _check_resource(ctx, tx, arn)
    tags.save(tx, arn, tagging.checked(params["Tags"], await tags.of(tx, arn)))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["ResourceARN"]
    await _check_resource(ctx, tx, arn)
    tags.save(tx, arn, tags.without(await tags.of(tx, arn), params["TagKeys"]))
    return {}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _check_resource(ctx, tx, params["ResourceARN"])
    return {"Tags": tags.shown(await tags.of(tx, params["ResourceARN"]))}
