"""Sessions of users: GetSessionToken and GetFederationToken."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Arn, Context, Params, Result
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.services.sts.block import service
from cloudlet.services.sts.credentials import is_temporary, issue
from cloudlet.services.sts.errors import AccessDeniedError
from cloudlet.services.sts.mfa import verify_code
from cloudlet.services.sts.session_policies import read_session_policies
from cloudlet.services.sts.session_tags import make_session_tags

DEFAULT_SECONDS: Final = 12 * 3600
MAX_ROOT_SECONDS: Final = 3600


@service.direct("GetSessionToken")
async def get_session_token(ctx: Context, params: Params) -> Result:
    """Issue temporary credentials for the caller, whatever the policies say (API Reference)."""
    caller = ctx.principal
    _check_is_long_term(caller, "GetSessionToken")
    has_code = await verify_code(ctx, params)
    details = SessionDetails(issuer=caller.arn, issued_at=ctx.now(), mfa_at=ctx.now() if has_code else 0.0)
    principal = Principal(caller.kind, caller.account, caller.arn, caller.user_id, session=details)
    return issue(ctx, principal, _get_duration(caller, params), params)


@service.direct("GetFederationToken")
async def get_federation_token(ctx: Context, params: Params) -> Result:
    """Issue temporary credentials that allow what both the caller and the session policies do."""
    caller, name = ctx.principal, params["Name"]
    _check_is_long_term(caller, "GetFederationToken")
    arn = str(Arn.parse(caller.arn)._replace(service="sts", resource=f"federated-user/{name}"))
    tags = make_session_tags((each["Key"], each["Value"]) for each in params.get("Tags") or ())
    if ctx.strict:
        for action in ("sts:GetFederationToken", *(("sts:TagSession",) if tags.tags else ())):
            decision = decide(ctx, action, arn, caller.account, None, tags.to_keys())
            if not decision.allowed:
                raise deny(ctx, "sts", decision)
    policies = await read_session_policies(ctx, params, caller.account)
    details = SessionDetails(
        issuer=caller.arn,
        policies=policies.documents,
        policy_arns=policies.arns,
        has_policies=bool(policies),
        tags=dict(tags.tags),
        issued_at=ctx.now(),
    )
    id = f"{caller.account}:{name}"
    answer = issue(
        ctx,
        Principal("federated-user", caller.account, arn, id, session=details),
        _get_duration(caller, params),
        params,
    )
    answer["FederatedUser"] = {"Arn": arn, "FederatedUserId": id}
    answer["PackedPolicySize"] = answer["SessionTokenUtilization"]
    return answer


def _check_is_long_term(caller: Principal, operation: str) -> None:
    """Raise AwsError for temporary credentials: they would be made to last for ever."""
    if is_temporary(caller):
        raise AccessDeniedError(f"Cannot call {operation} with session credentials")


def _get_duration(caller: Principal, params: Params) -> int:
    """Return the duration of a session in seconds; for a root user it is limited."""
    seconds: int = params.get("DurationSeconds", DEFAULT_SECONDS)
    return min(seconds, MAX_ROOT_SECONDS) if caller.kind == "root" else seconds
