"""The operations on tags."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Transaction
from cloudlet.core.authorization import tagged_resources
from cloudlet.core.aws import tag_operations
from cloudlet.services.pipes import errors, pipe
from cloudlet.services.pipes.block import service


async def _check_pipe(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError for an ARN of no pipe of the caller's."""
    arn = Arn.parse(text)
    kind, _, name = arn.resource.partition("/")
    if (arn.service, arn.account, arn.region, kind) != ("pipes", ctx.account, ctx.region, "pipe"):
        raise errors.validation(f"{text} is not the ARN of a pipe of this account and region.")
    await pipe.get(tx, ctx.account, ctx.region, name)


tag_operations.declare(
    service,
    _check_pipe,
    errors.validation,
    authorize=tagged_resources.authorize,
    arn="resourceArn",
    given="tags",
    keys="tagKeys",
    are_mapped=True,
)
