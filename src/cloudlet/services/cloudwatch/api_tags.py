"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Arn, AwsError, Context, Params, Result, Transaction, tags
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import dashboard, errors, mute_rule, tagging
from cloudlet.services.cloudwatch.block import service


async def _check_resource(ctx: Context, tx: Transaction, arn: str) -> None:
    """Raise AwsError for an ARN of nothing that can have tags here."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise errors.invalid_value(f"The ARN {arn} is invalid.") from None
    kind, _, name = parsed.resource.partition(":")
    if parsed.service != "cloudwatch" or parsed.account != ctx.account:
        raise errors.invalid_value(f"The ARN {arn} is invalid.")
    if kind == "alarm":
        there = await alarms.find(tx, ctx.account, parsed.region, name) is not None
    elif kind.startswith("dashboard/"):
        there = await dashboard.find(tx, ctx.account, kind.removeprefix("dashboard/")) is not None
    elif kind == "alarm-mute-rule":
        there = await mute_rule.find(tx, ctx.account, parsed.region, name) is not None
    else:
        raise errors.invalid_value(f"The ARN {arn} is not one of a resource that can be tagged.")
    if not there:
        raise AwsError(
            "ResourceNotFoundException", f"Unknown resource {arn}", ResourceType=parsed.resource, ResourceId=arn
        )


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
