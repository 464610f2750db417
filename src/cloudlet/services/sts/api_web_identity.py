"""AssumeRoleWithWebIdentity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import Arn, AwsError, Context, Params, Result
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.services.sts.block import service
from cloudlet.services.sts.errors import InvalidIdentityToken, is_missing
from cloudlet.services.sts.id_tokens import IdToken
from cloudlet.services.sts.role_sessions import SessionRequest, open_session, validate_source_identity
from cloudlet.services.sts.roles import NotAuthorizedError, check_federated, find_role, get_duration, parse_role_arn
from cloudlet.services.sts.session_policies import read_session_policies
from cloudlet.services.sts.session_tags import make_session_tags

_OPERATION = "AssumeRoleWithWebIdentity"


@service.direct(_OPERATION)
async def assume_role_with_web_identity(ctx: Context, params: Params) -> Result:
    """Issue credentials of a role to a user of an OpenID Connect provider."""
    arn = parse_role_arn(params["RoleArn"], "Request ARN is invalid")
    # Its record in CloudTrail belongs to the account of the role: the caller has none.
    ctx.account = arn.account
    if params.get("ProviderId"):
        raise InvalidIdentityToken(
            "The access tokens of www.amazon.com and graph.facebook.com cannot be validated here. "
            "Do not specify ProviderId for OpenID Connect ID tokens."
        )
    token = IdToken.parse(params["WebIdentityToken"])
    provider = str(Arn(arn.partition, "iam", "", arn.account, f"oidc-provider/{token.issuer_name}"))
    known = await _read_provider(ctx, provider, token)
    await token.verify(ctx.block, known.get("ThumbprintList") or ())
    token.check_times(wall_time())
    audience = token.find_audience(known.get("ClientIDList") or ())
    if audience is None:
        raise InvalidIdentityToken("Incorrect token audience")
    tags = make_session_tags(token.list_tags(), token.list_transitive_keys())
    request = SessionRequest(
        params["RoleSessionName"],
        tags,
        validate_source_identity(token.source_identity),
        provider,
        token.to_keys(audience),
    )
    role = await find_role(ctx, arn)
    if role is None:
        raise NotAuthorizedError(f"sts:{_OPERATION}")
    if ctx.strict:
        check_federated(ctx, role, provider, request.list_actions(_OPERATION), request.to_keys())
    seconds = get_duration(role, params.get("DurationSeconds"))
    policies = await read_session_policies(ctx, params, arn.account)
    answer = open_session(ctx, role, request, policies, seconds, params)
    answer |= {"SubjectFromWebIdentityToken": token.subject, "Provider": token.issuer, "Audience": audience}
    return answer


async def _read_provider(ctx: Context, provider: str, token: IdToken) -> Mapping[str, Any]:
    """Return the provider that an account has for the issuer of a token. Raises AwsError."""
    account = Arn.parse(provider).account
    try:
        answer = await ctx.block.call(
            "iam",
            "GetOpenIDConnectProvider",
            {"OpenIDConnectProviderArn": provider},
            account=account,
            region=ctx.region,
        )
    except AwsError as error:
        if is_missing(error):
            raise InvalidIdentityToken(f"No OpenIDConnect provider found in your account for {token.issuer}") from error
        raise
    return answer or {}
