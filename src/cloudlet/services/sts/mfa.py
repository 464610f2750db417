"""Codes of MFA devices, which IAM verifies."""

from __future__ import annotations

from cloudlet.core import Context, Params
from cloudlet.services.sts.errors import AccessDeniedError


async def verify_code(ctx: Context, params: Params) -> bool:
    """Whether the caller has given a code of his MFA device. Raises AwsError for one that is not right."""
    serial, code = params.get("SerialNumber"), params.get("TokenCode")
    if not serial and not code:
        return False
    if not serial or not code:
        raise AccessDeniedError(
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
        )
    caller = ctx.principal
    if caller.kind not in ("root", "user"):
        raise AccessDeniedError(
            "MultiFactorAuthentication failed, unable to validate MFA code.  "
            "Please verify your MFA serial number is valid and associated with this user."
        )
    asked = {"SerialNumber": serial, "TokenCode": code, "UserArn": caller.arn}
    answer = await ctx.block.call("iam", "VerifyMfaCode", asked, account=caller.account, region=ctx.region)
    if not (answer or {}).get("IsValid"):
        raise AccessDeniedError("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    return True
