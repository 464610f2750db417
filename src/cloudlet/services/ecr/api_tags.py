"""The operations on tags of repositories."""

from __future__ import annotations

import re
from typing import Final

from cloudlet.core import Context, Transaction
from cloudlet.core.aws import tag_operations
from cloudlet.services.ecr import errors, repository
from cloudlet.services.ecr.block import service

_ARN: Final = re.compile(r"arn:[a-z-]+:ecr:([a-z0-9-]+):(\d{12}):repository/(.+)", re.ASCII)


async def _check(ctx: Context, tx: Transaction, arn: str) -> None:
    """Raise AwsError unless an ARN is that of a repository of the caller's."""
    match = _ARN.fullmatch(arn)
    if match is None:
        message = "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"
        raise errors.InvalidParameter(message)
    region, account, name = match.groups()
    if (region, account) != (ctx.region, ctx.account):
        raise errors.RepositoryNotFound(name, ctx.account)
    await repository.get(tx, account, region, name)


tag_operations.declare(
    service, _check, errors.InvalidTag, errors.TooManyTags, arn="resourceArn", given="tags", keys="tagKeys"
)
