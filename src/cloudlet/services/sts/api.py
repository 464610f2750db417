"""The operations of AWS STS."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Service
from cloudlet.core.kernel.tokens import parse_account

service = Service("sts")

_DEFAULT_SECONDS = 12 * 3600
_DEFAULT_ROOT_SECONDS = 3600
_LONGEST_ROOT_SECONDS = 3600
_LONGEST_TOKEN = 4096
"""AWS's limit (What's New, September 2026: "AWS STS simplifies session token size limits")."""


@service.direct("GetCallerIdentity")
async def get_caller_identity(ctx: Context, params: Params) -> Result:
    """Every caller may ask, whatever the policies say (API Reference, GetCallerIdentity)."""
    principal = ctx.principal
    return {"UserId": principal.user_id, "Account": principal.account, "Arn": principal.arn}


@service.direct("GetAccessKeyInfo")
async def get_access_key_info(ctx: Context, params: Params) -> Result:
    """Name the account that an access key id belongs to; whether the key exists is not looked at."""
    access_key = params["AccessKeyId"]
    account = ctx.principal.account if access_key == ctx.principal.access_key else parse_account(access_key)
    if account is None:
        raise AwsError("ValidationError", f"Invalid access key id: {access_key}", status=400)
    return {"Account": account}


@service.direct("GetSessionToken")
async def get_session_token(ctx: Context, params: Params) -> Result:
    """Issue temporary credentials for the caller; a root user's last an hour at most (API Reference)."""
    if params.get("SerialNumber") or params.get("TokenCode"):
        raise AwsError(
            "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.", status=403
        )
    # Temporary credentials would be made to last for ever.
    if ctx.principal.kind not in ("root", "user") or ctx.principal.access_key.startswith("ASIA"):
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", status=403)
    is_root = ctx.principal.kind == "root"
    seconds = params.get("DurationSeconds", _DEFAULT_ROOT_SECONDS if is_root else _DEFAULT_SECONDS)
    if is_root:
        seconds = min(seconds, _LONGEST_ROOT_SECONDS)
    least_size = params.get("MinimumSessionTokenSize", 0)
    issued = ctx.block.cloud.tokens.issue(ctx.principal, ctx.now() + seconds, least_size)
    size = len(issued.session_token)
    return {
        "Credentials": {
            "AccessKeyId": issued.access_key,
            "SecretAccessKey": issued.secret_key,
            "SessionToken": issued.session_token,
            "Expiration": issued.expires,
        },
        "SessionTokenSize": size,
        "SessionTokenUtilization": min(100, size * 100 // _LONGEST_TOKEN),
    }
