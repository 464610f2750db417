"""The operations on tags, which schedule groups have."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Transaction
from cloudlet.core.authorization import tagged_resources
from cloudlet.core.aws import tag_operations
from cloudlet.services.scheduler import errors, group
from cloudlet.services.scheduler.block import service


async def _check_group(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError for an ARN of no group of the caller's."""
    arn = Arn.parse(text)
    kind, _, name = arn.resource.partition("/")
    if (arn.service, arn.account, arn.region, kind) != ("scheduler", ctx.account, ctx.region, "schedule-group"):
        raise errors.validation(f"Invalid ResourceArn {text}.")
    await group.get(ctx, tx, name)


tag_operations.declare(
    service,
    _check_group,
    errors.validation,
    errors.quota_exceeded,
    authorize=tagged_resources.authorize,
    arn="ResourceArn",
)
