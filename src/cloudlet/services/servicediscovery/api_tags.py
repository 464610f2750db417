"""The operations on tags, which namespaces and services have."""

from __future__ import annotations

from cloudlet.core import Arn, AwsError, Context, Transaction
from cloudlet.core.aws import tag_operations
from cloudlet.services.servicediscovery import errors, storing
from cloudlet.services.servicediscovery.block import service


async def _check_resource(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise ResourceNotFoundException for an ARN of nothing of the caller's."""
    missing = AwsError("ResourceNotFoundException", f"No resource exists with the ARN {text}.")
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.InvalidInput(f"The ARN {text} is not valid.") from None
    kind, _, name = arn.resource.partition("/")
    if (arn.service, arn.account, arn.region) != ("servicediscovery", ctx.account, ctx.region):
        raise missing
    if kind == "namespace":
        found: object = await storing.NAMESPACES.find(tx, ctx.account, ctx.region, name)
    else:
        found = await storing.SERVICES.find(tx, ctx.account, ctx.region, name) if kind == "service" else None
    if found is None:
        raise missing


tag_operations.declare(service, _check_resource, errors.InvalidInput, errors.TooManyTags)
