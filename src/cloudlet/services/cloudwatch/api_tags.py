"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Arn, AwsError, Context, Transaction
from cloudlet.core.aws import tag_operations
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import dashboard, errors, mute_rule
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


async def _check_listed(ctx: Context, tx: Transaction, arn: str) -> None:
    """Raise AwsError as `_check_resource` does, but for alarms that are not there: they have no tags."""
    try:
        await _check_resource(ctx, tx, arn)
    except AwsError as error:
        if error.code != "ResourceNotFoundException" or ":alarm:" not in arn:
            raise


tag_operations.declare(service, _check_resource, errors.invalid_value, check_listed=_check_listed)
