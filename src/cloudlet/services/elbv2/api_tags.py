"""The operations on tags, and on the limits of an account."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.elbv2 import arns, storing, tagging
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import ValidationError
from cloudlet.services.elbv2.limits import ACCOUNT_LIMITS
from cloudlet.services.elbv2.paging import show_page

_MAX_DESCRIBED_RESOURCES: Final = 20
_FINDERS: Final = {
    arns.LOAD_BALANCER: storing.get_load_balancer,
    arns.LISTENER: storing.get_listener,
    arns.TARGET_GROUP: storing.get_target_group,
    arns.TRUST_STORE: storing.get_trust_store,
}


async def _check_resource(ctx: Context, tx: Transaction, arn: str) -> None:
    """Raise AwsError unless there is a resource with tags."""
    kind = arns.find_kind(arn)
    if kind == arns.RULE:
        if await storing.find_default_rule(ctx, tx, arn) is None:
            await storing.get_rule(ctx, tx, arn)
        return
    if kind is None:
        raise ValidationError(f"'{arn}' is not a valid resource ARN")
    await _FINDERS[kind](ctx, tx, arn)


@service.operation("AddTags")
async def add_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    for arn in params["ResourceArns"]:
        await _check_resource(ctx, tx, arn)
        tags.save(tx, arn, tagging.merge(await tags.load(tx, arn), params["Tags"]))
    return {}


@service.operation("RemoveTags")
async def remove_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    for arn in params["ResourceArns"]:
        await _check_resource(ctx, tx, arn)
        tags.save(tx, arn, tags.remove(await tags.load(tx, arn), params["TagKeys"]))
    return {}


@service.operation("DescribeTags")
async def describe_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    given = params["ResourceArns"]
    if len(given) > _MAX_DESCRIBED_RESOURCES:
        text = f"Up to '{_MAX_DESCRIBED_RESOURCES}' resource ARNs can be specified, but '{len(given)}' were specified"
        raise ValidationError(text)
    shown = []
    for arn in given:
        await _check_resource(ctx, tx, arn)
        shown.append({"ResourceArn": arn, "Tags": tags.to_list(await tags.load(tx, arn))})
    return {"TagDescriptions": shown}


@service.operation("DescribeAccountLimits")
async def describe_account_limits(ctx: Context, tx: Transaction, params: Params) -> Result:
    shown = [{"Name": name, "Max": str(most)} for name, most in ACCOUNT_LIMITS.items()]
    return show_page("Limits", shown, params.get("Marker"), params.get("PageSize"))
