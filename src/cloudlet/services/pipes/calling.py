"""Calls of other blocks' APIs, as a session of the pipe's role."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.authorization import role_session
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.authorization.role_session import is_assumable, make_session
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.pipes import errors
from cloudlet.services.pipes.pipe import Pipe, arn_of
from cloudlet.wire import WireError

_PRINCIPAL = "pipes.amazonaws.com"


async def check_role(ctx: Context, role: str, name: str) -> None:
    """Raise AwsError unless a pipe can act by a role of its account."""
    role_session.check_role(ctx.account, role)
    arn = arn_of(ctx.account, ctx.region, name)
    if not await is_assumable(ctx.block, make_session(role, name, _PRINCIPAL, arn)):
        raise errors.validation(f"Provided role '{role}' cannot be assumed by principal '{_PRINCIPAL}'.")


async def check_source(block: Block, pipe: Pipe, actions: tuple[str, ...], policy: str | None) -> None:
    """Raise AwsError unless a pipe's role may take from its source.

    `policy` is that of the source, if it has one. What conditions decide is found out when it takes.
    """
    if not block.is_strict:
        return
    arn, session = pipe.source_arn, make_session(pipe.role, pipe.name, _PRINCIPAL, pipe.arn)
    ctx = Context(block, session, pipe.account, arn.region, uuid4(), block.cloud.config.endpoint, secure=True)
    ctx.permissions = await block.cloud.permissions.load(session)
    for action in actions:
        name = f"{arn.service}:{action}"
        if ctx.permissions.is_unconditional(name) and not decide(ctx, name, str(arn), arn.account, policy).allowed:
            raise AwsError(
                "AccessDeniedException",
                f"The provided customer role does not have permissions to call {action} on {arn.service.upper()}",
            )


async def call(
    block: Block, pipe: Pipe, arn: Arn, operation: str, params: dict[str, Any], *, service: str = ""
) -> dict[str, Any]:
    """Call the API of the block that has the resource with an ARN. Raises AwsError."""
    principal = make_session(pipe.role, pipe.name, _PRINCIPAL, pipe.arn)
    try:
        result = await block.cloud.call(
            service or arn.service, operation, params, principal=principal, account=pipe.account, region=arn.region
        )
    except AwsError:
        raise
    except WireError as error:
        raise AwsError(error.code, error.message, status=error.status) from error
    return dict(result or {})


async def invoke_destination(
    block: Block, pipe: Pipe, arn: Arn, text: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Have EventBridge invoke an API destination, or a method of a REST API as a session of the pipe's role.

    It lets blocks do so, and nobody else. Raises AwsError.
    """
    params = {"ApiDestinationArn": str(arn), "RoleArn": pipe.role, "Body": text, "HttpParameters": parameters}
    result = await block.call(
        "events", "InvokeApiDestination", params, account=pipe.account, region=arn.region, source_arn=pipe.arn
    )
    return dict(result or {})
