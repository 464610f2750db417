"""Call others for an API: as a session of the role that it was given, as its caller, or as API Gateway itself.

Developer guide, "API Gateway permissions model for invoking an API" and, of `credentials`, "Integration" in the API
reference. Stage variables may be part of a role's ARN, so whose role it is is only known when it is used.
"""

from __future__ import annotations

from cloudlet.core import AwsError, Params, Result
from cloudlet.core.authorization.permissions import NOTHING
from cloudlet.core.authorization.role_session import check_role, make_session
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import uuid4

ANY_USER = "arn:aws:iam::*:"
"""The prefix of an integration's role that makes it act as the caller of the API."""
_PRINCIPAL = "apigateway.amazonaws.com"


class RoleRefused(AwsError):
    """The role is none that the account may have others act by."""


async def call(
    block: Block,
    service: str,
    operation: str,
    params: Params,
    *,
    role: str,
    account: str,
    region: str,
    caller: Principal | None = None,
    source_arn: str = "",
    trace: str | None = None,
) -> Result:
    """Call an operation on behalf of an API of an account; `source_arn` names the API where it has no role.

    `caller` is who has signed the call of the API. Raises AwsError, RoleRefused among them.
    """
    if not role:
        return await block.call(
            service, operation, params, account=account, region=region, source_arn=source_arn, trace=trace
        )
    principal = await _assume(block, role, account, caller)
    return await block.cloud.call(
        service, operation, params, principal=principal, account=principal.account, region=region, trace=trace
    )


async def _assume(block: Block, role: str, account: str, caller: Principal | None) -> Principal:
    """Return as whom an integration with a role calls. Raises RoleRefused."""
    refused = RoleRefused(
        "AccessDeniedException",
        f"API Gateway does not have permission to assume the provided role {role}",
        status=403,
    )
    if role.startswith(ANY_USER):
        if caller is None:
            raise refused
        return caller
    try:
        check_role(account, role)
        principal = make_session(role, uuid4(), by=_PRINCIPAL)
    except (AwsError, ValueError):
        raise refused from None
    if block.is_strict and await block.cloud.permissions.load(principal) is NOTHING:
        # There is no such role, or it does not trust API Gateway.
        raise refused
    return principal
