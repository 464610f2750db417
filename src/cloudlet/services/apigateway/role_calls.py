"""As whom an API calls others: as a session of the role that it was given, or else as API Gateway itself.

Developer guide, "API Gateway permissions model for invoking an API" and, of `credentials`, "Integration" in the API
reference. Stage variables may be part of a role's ARN, so whose role it is is only known when it is used.
"""

from __future__ import annotations

from cloudlet.core import AwsError, Params, Result
from cloudlet.core.authorization.role_session import check_role, make_session
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4

ANY_USER = "arn:aws:iam::*:"
"""What the role of an integration begins with that is to act as whoever has called the API; here the API does."""


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
    source_arn: str = "",
    trace: str | None = None,
) -> Result:
    """Call an operation on behalf of an API of an account; `source_arn` names the API where it has no role.

    Raises AwsError, RoleRefused among them.
    """
    if not role or role.startswith(ANY_USER):
        return await block.call(
            service, operation, params, account=account, region=region, source_arn=source_arn, trace=trace
        )
    try:
        check_role(account, role)
        principal = make_session(role, uuid4())
    except (AwsError, ValueError):
        reason = f"API Gateway does not have permission to assume the provided role {role}"
        raise RoleRefused("AccessDeniedException", reason, status=403) from None
    return await block.cloud.call(
        service, operation, params, principal=principal, account=account, region=region, trace=trace
    )
