"""Operations about identities: the caller's, that of a key, and that of a denied request."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result
from cloudlet.core.authorization.message import InvalidMessage, decode_message
from cloudlet.core.kernel.tokens import parse_account
from cloudlet.services.sts.block import service
from cloudlet.services.sts.errors import ValidationError


@service.direct("GetCallerIdentity")
async def get_caller_identity(ctx: Context, params: Params) -> Result:
    """Name the caller, who may ask whatever the policies say (API Reference, GetCallerIdentity)."""
    principal = ctx.principal
    return {"UserId": ctx.permissions.identify(principal), "Account": principal.account, "Arn": principal.arn}


@service.direct("GetAccessKeyInfo")
async def get_access_key_info(ctx: Context, params: Params) -> Result:
    """Name the account of an access key id. Whether the key exists is not looked at."""
    access_key = params["AccessKeyId"]
    account = ctx.principal.account if access_key == ctx.principal.access_key else parse_account(access_key)
    if account is None:
        raise ValidationError(f"Invalid access key id: {access_key}")
    return {"Account": account}


@service.direct("DecodeAuthorizationMessage")
async def decode_authorization_message(ctx: Context, params: Params) -> Result:
    """Decode why a request of the caller's account was denied."""
    try:
        message = decode_message(ctx.block.cloud.vault, ctx.principal.account, params["EncodedMessage"])
    except InvalidMessage as error:
        raise AwsError("InvalidAuthorizationMessageException", "Message is not valid") from error
    return {"DecodedMessage": message}
