"""AssumeRole."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.services.sts.block import service
from cloudlet.services.sts.credentials import is_temporary
from cloudlet.services.sts.errors import AccessDeniedError, ValidationError
from cloudlet.services.sts.mfa import verify_code
from cloudlet.services.sts.role_sessions import SessionRequest, open_session
from cloudlet.services.sts.roles import MAX_CHAINED_SECONDS, check_caller, find_role, get_duration, parse_role_arn
from cloudlet.services.sts.session_policies import read_session_policies
from cloudlet.services.sts.session_tags import make_session_tags


@service.direct("AssumeRole")
async def assume_role(ctx: Context, params: Params) -> Result:
    """Issue credentials of a role, whose trust policy counts where permissions are enforced."""
    arn = parse_role_arn(params["RoleArn"], f"{params['RoleArn']} is invalid")
    if params.get("ProvidedContexts"):
        raise AwsError(
            "InvalidContextAssertionException",
            "The context assertion does not match a trusted context provider: there is no IAM Identity Center.",
        )
    caller = ctx.principal
    if ctx.strict and caller.kind == "root":
        raise AccessDeniedError("Roles may not be assumed by root accounts.")
    session = caller.session
    tags = make_session_tags(
        [(each["Key"], each["Value"]) for each in params.get("Tags") or ()],
        params.get("TransitiveTagKeys") or (),
        session,
    )
    request = SessionRequest(params["RoleSessionName"], tags, _get_source_identity(ctx, params))
    has_code = await verify_code(ctx, params)
    role = await find_role(ctx, arn)
    # One who must not know whether the role exists does not learn it.
    if role is None:
        raise AccessDeniedError(f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}")
    if ctx.strict:
        check_caller(ctx, role, request.list_actions("AssumeRole"), _list_keys(request, params, has_code))
    if caller.access_key and is_temporary(caller) and params.get("DurationSeconds", 0) > MAX_CHAINED_SECONDS:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    seconds = get_duration(role, params.get("DurationSeconds"))
    policies = await read_session_policies(ctx, params, arn.account)
    return open_session(ctx, role, request, policies, seconds, params)


def _get_source_identity(ctx: Context, params: Params) -> str:
    """Return the source identity of the new session. That of the caller cannot be changed."""
    passed: str = params.get("SourceIdentity") or ""
    inherited = ctx.principal.session.source_identity if ctx.principal.session is not None else ""
    if inherited and passed and passed != inherited:
        raise AccessDeniedError("The source identity of a session cannot be changed by role chaining.")
    return inherited or passed


def _list_keys(request: SessionRequest, params: Params, has_code: bool) -> Keys:
    """Return the condition keys of a call of AssumeRole."""
    keys = request.to_keys()
    if external_id := params.get("ExternalId"):
        keys["sts:ExternalId"] = external_id
    if has_code:
        keys |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
    return keys
