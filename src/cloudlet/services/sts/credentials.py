"""Temporary credentials, as the answers of all operations have them."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.kernel.identity import Principal

MAX_TOKEN_CHARACTERS: Final = 4096
"""AWS's limit (What's New, September 2026: "AWS STS simplifies session token size limits")."""


def is_temporary(principal: Principal) -> bool:
    """Whether somebody acts with temporary credentials, or as a role."""
    return principal.kind not in ("root", "user") or principal.access_key.startswith("ASIA")


def issue(ctx: Context, principal: Principal, seconds: float, params: Params) -> dict[str, Any]:
    """Return credentials that let their bearer act as `principal` for so long. Raises AwsError.

    Session policies and tags are part of the token, so that they are limited by its size.
    """
    issued = ctx.block.cloud.tokens.issue(principal, ctx.now() + seconds, params.get("MinimumSessionTokenSize", 0))
    size = len(issued.session_token)
    if size > MAX_TOKEN_CHARACTERS:
        raise AwsError(
            "PackedPolicyTooLargeException",
            f"The session token has {size} bytes, more than the maximum allowed size of {MAX_TOKEN_CHARACTERS} bytes.",
        )
    return {
        "Credentials": {
            "AccessKeyId": issued.access_key,
            "SecretAccessKey": issued.secret_key,
            "SessionToken": issued.session_token,
            "Expiration": issued.expires,
        },
        "SessionTokenSize": size,
        "SessionTokenUtilization": size * 100 // MAX_TOKEN_CHARACTERS,
    }
