"""Identity providers, asked for tokens and for the claims of users (OpenID Connect Core 1.0)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.services.elbv2.proxy.view import Description

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_MAX_CLAIM_BYTES: Final = 11 << 10
_MAX_ANSWER_BYTES: Final = 64 << 10
_TIMEOUT_SECONDS: Final = 5.0
_LEEWAY_SECONDS: Final = 60
_CLIENT: Final = PerBlock(lambda _: HttpClient(connections=8))
_FORM: Final = ("content-type", "application/x-www-form-urlencoded")
PROVIDER_ERROR: Final = 561
"""The status of AWS for errors of providers."""


class LoginError(Exception):
    """A user cannot be authenticated; `status` is what is answered, `reason` AWS's code."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Login(NamedTuple):
    """The access of a user, and what the provider says of him."""

    token: str
    claims: dict[str, Any]
    refresh_token: str
    token_seconds: float | None
    """The time for which the access token holds. None where it is not told."""


async def get_login(block: Block, config: Description, code: str, redirect: str) -> Login:
    """Return what a provider tells for a code that it has given to a user. Raises LoginError."""
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
    found = await _get_token(block, config, grant)
    subject = _check_id_token(found.get("id_token"), config, block.clock.now())
    login = await _finish(block, config, found)
    if login.claims["sub"] != subject:
        raise LoginError(PROVIDER_ERROR, "AuthInvalidUserinfoResponse")
    return login


async def refresh(block: Block, config: Description, token: str) -> Login:
    """Return what a provider tells for a refresh token. Raises LoginError."""
    found = await _get_token(block, config, {"grant_type": "refresh_token", "refresh_token": token})
    return await _finish(block, config, {"refresh_token": token, **found})


async def _finish(block: Block, config: Description, found: dict[str, Any]) -> Login:
    token, refresh_token = found.get("access_token"), found.get("refresh_token")
    if not isinstance(token, str) or not token:
        raise LoginError(PROVIDER_ERROR, "AuthInvalidTokenResponse")
    claims = await _get_claims(block, config, token)
    if len(json.dumps(claims)) + len(token) > _MAX_CLAIM_BYTES:
        raise LoginError(401, "AuthUserinfoResponseSizeExceeded")
    seconds = found.get("expires_in")
    return Login(
        token,
        claims,
        refresh_token if isinstance(refresh_token, str) else "",
        float(seconds) if isinstance(seconds, int | float) else None,
    )


async def _get_token(block: Block, config: Description, grant: dict[str, str]) -> dict[str, Any]:
    form = {**grant, "client_id": config["ClientId"], "client_secret": config.get("ClientSecret", "")}
    status, found = await _ask(block, "Token", "POST", config["TokenEndpoint"], [_FORM], urlencode(form).encode())
    if not 200 <= status < 300:
        is_denied = isinstance(found, dict) and found.get("error") == "invalid_grant"
        raise LoginError(PROVIDER_ERROR, "AuthInvalidGrantError" if is_denied else "AuthTokenEpRequestFailed")
    if not isinstance(found, dict):
        raise LoginError(PROVIDER_ERROR, "AuthInvalidTokenResponse")
    return found


def _check_id_token(token: Any, config: Description, now: float) -> str:
    """Return the subject of an ID token. Raises LoginError.

    It came from the provider itself, by TLS, which stands for its signature (section 3.1.3.7).
    """
    # Slow to import, and not needed by who has no users.
    import jwt

    try:
        claims = jwt.decode(token if isinstance(token, str) else "", options={"verify_signature": False})
    except jwt.PyJWTError:
        raise LoginError(401, "AuthInvalidIdToken") from None
    audiences = claims.get("aud")
    expires = claims.get("exp")
    is_right = (
        claims.get("iss") == config["Issuer"]
        and config["ClientId"] in (audiences if isinstance(audiences, list) else [audiences])
        and isinstance(expires, int | float)
        and expires + _LEEWAY_SECONDS > now
    )
    if not is_right:
        raise LoginError(401, "AuthInvalidIdToken")
    return str(claims.get("sub", ""))


async def _get_claims(block: Block, config: Description, token: str) -> dict[str, Any]:
    bearer = ("authorization", f"Bearer {token}")
    status, found = await _ask(block, "Userinfo", "GET", config["UserInfoEndpoint"], [bearer])
    if not 200 <= status < 300:
        raise LoginError(PROVIDER_ERROR, "AuthUserinfoEpRequestFailed")
    if not isinstance(found, dict) or not found.get("sub"):
        raise LoginError(PROVIDER_ERROR, "AuthInvalidUserinfoResponse")
    return found


async def _ask(
    block: Block, endpoint: str, method: str, url: str, headers: list[tuple[str, str]], body: bytes = b""
) -> tuple[int, Any]:
    """Return the status of an answer, and its JSON, if it has any. Raises LoginError."""
    accepts = ("accept", "application/json")
    try:
        response = await _CLIENT.get(block).request(
            method, url, [*headers, accepts], body, timeout=_TIMEOUT_SECONDS, limit=_MAX_ANSWER_BYTES
        )
    except HttpError as error:
        if error.kind == "too-large" and endpoint == "Userinfo":
            raise LoginError(401, "AuthUserinfoResponseSizeExceeded") from None
        raise LoginError(500, f"Auth{endpoint}EpRequestTimeout") from None
    try:
        return response.status, json.loads(response.body)
    except (ValueError, RecursionError):
        return response.status, None
