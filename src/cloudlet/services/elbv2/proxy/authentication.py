"""Users whom an Application Load Balancer authenticates (user guide, "Authenticate users" and "Verify JWTs").

What is known of a session is in its cookies, encrypted; so is what is to be remembered while a user is at the provider.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlencode

from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.vault import UnreadableSecret
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.services.elbv2.proxy import user_claims
from cloudlet.services.elbv2.proxy.authenticating import CALLBACK
from cloudlet.services.elbv2.proxy.block_server import Headers, Request, Response, make_page
from cloudlet.services.elbv2.proxy.view import Description

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_SESSION_COOKIE: Final = "AWSELBAuthSessionCookie"
_NONCE_COOKIE: Final = "AWSALBAuthNonce"
_SESSION_SECONDS: Final = 604800
_LOGIN_SECONDS: Final = 900
_MAX_COOKIE_BYTES: Final = 3900
_MAX_SHARDS: Final = 4
_MAX_CLAIM_BYTES: Final = 11 << 10
_TIMEOUT_SECONDS: Final = 5.0
_MAX_ANSWER_BYTES: Final = 64 << 10
_CLIENT: Final = PerBlock(lambda _: HttpClient(connections=8))
_OK: Final = 200
_PROVIDER_ERROR: Final = 561
"""The status of AWS for errors of providers."""


class LoginError(Exception):
    """A user cannot be authenticated; `status` is what is answered."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


async def authenticate(block: Block, signer: str, key: str, action: Description, request: Request) -> Response:
    """Return the response by which Envoy lets a request pass, or answers it.

    It has headers for the target. `signer` is the ARN of the load balancer. `request` has the original path.
    """
    config = action["AuthenticateOidcConfig"]
    now = block.clock.now()
    cookies = read_cookies(request)
    name = config.get("SessionCookieName") or _SESSION_COOKIE
    session = _open(block, f"{key} session", _join_shards(cookies, name))
    if session is not None and session["expires"] > now:
        claims = user_claims.sign(block, signer, config, session["claims"], session["expires"])
        told = [
            ("x-amzn-oidc-accesstoken", session["token"]),
            ("x-amzn-oidc-identity", str(session["claims"].get("sub", ""))),
            ("x-amzn-oidc-data", claims),
        ]
        return Response(_OK, told)
    match config.get("OnUnauthenticatedRequest") or "authenticate":
        case "allow":
            return Response(_OK)
        case "deny":
            return make_page(401)
    return _send_to_provider(block, key, config, request, now)


def _send_to_provider(block: Block, key: str, config: Description, request: Request, now: float) -> Response:
    nonce = random_bytes(16).hex()
    host = request.get("host")
    kept = {"key": key, "url": f"https://{host}{request.target}", "nonce": nonce, "expires": now + _LOGIN_SECONDS}
    parameters = {
        "response_type": "code",
        "client_id": config["ClientId"],
        "redirect_uri": f"https://{host}{CALLBACK}",
        "state": _seal(block, "login", kept),
        "scope": config.get("Scope") or "openid",
        **(config.get("AuthenticationRequestExtraParams") or {}),
    }
    endpoint = config["AuthorizationEndpoint"]
    location = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters, quote_via=quote)}"
    return Response(302, [("location", location), _set_cookie(_NONCE_COOKIE, nonce), ("cache-control", "no-store")])


async def take_callback(block: Block, actions: dict[str, Description], request: Request) -> Response:
    """Return the response to a user who comes back from the provider, with a session."""
    try:
        return await _take_callback(block, actions, request)
    except LoginError as error:
        return make_page(error.status)


async def _take_callback(block: Block, actions: dict[str, Description], request: Request) -> Response:
    query = parse_qs(request.target.partition("?")[2])
    code, state, denial = (query.get(name, [""])[0] for name in ("code", "state", "error"))
    if denial:
        raise LoginError(401 if denial == "access_denied" else _PROVIDER_ERROR)
    now = block.clock.now()
    kept = _open(block, "login", state)
    if not code or kept is None or kept["expires"] < now:
        raise LoginError(401)
    if read_cookies(request).get(_NONCE_COOKIE) != kept["nonce"] or kept["key"] not in actions:
        raise LoginError(401)
    config = actions[kept["key"]]["AuthenticateOidcConfig"]
    token = await _get_token(block, config, code, f"https://{request.get('host')}{CALLBACK}")
    claims = await _get_claims(block, config, token)
    seconds = int(config.get("SessionTimeout") or _SESSION_SECONDS)
    session = {"token": token, "claims": claims, "expires": now + seconds}
    sealed = _seal(block, f"{kept['key']} session", session)
    name = config.get("SessionCookieName") or _SESSION_COOKIE
    shards = [sealed[begin : begin + _MAX_COOKIE_BYTES] for begin in range(0, len(sealed), _MAX_COOKIE_BYTES)]
    if len(shards) > _MAX_SHARDS:
        raise LoginError(500)
    set_cookies = [_set_cookie(f"{name}-{number}", shard, seconds) for number, shard in enumerate(shards)]
    return Response(302, [("location", kept["url"]), *set_cookies, _set_cookie(_NONCE_COOKIE, "", 0)])


async def _get_token(block: Block, config: Description, code: str, redirect: str) -> str:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "client_id": config["ClientId"],
        "client_secret": config.get("ClientSecret", ""),
    }
    kind = ("content-type", "application/x-www-form-urlencoded")
    found = await _ask(block, "POST", config["TokenEndpoint"], [kind], urlencode(form).encode())
    token = found.get("access_token")
    if not isinstance(token, str) or not token:
        raise LoginError(_PROVIDER_ERROR)
    return token


async def _get_claims(block: Block, config: Description, token: str) -> dict[str, Any]:
    found = await _ask(block, "GET", config["UserInfoEndpoint"], [("authorization", f"Bearer {token}")])
    if not found.get("sub"):
        raise LoginError(_PROVIDER_ERROR)
    if len(json.dumps(found)) > _MAX_CLAIM_BYTES:
        raise LoginError(401)
    return found


async def _ask(block: Block, method: str, url: str, headers: Headers, body: bytes = b"") -> dict[str, Any]:
    """Return what a provider answers. Raises LoginError."""
    client = _CLIENT.get(block)
    accepts = ("accept", "application/json")
    try:
        response = await client.request(
            method, url, [*headers, accepts], body, timeout=_TIMEOUT_SECONDS, limit=_MAX_ANSWER_BYTES
        )
        found = json.loads(response.body) if response.status == _OK else None
    except HttpError:
        raise LoginError(500) from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LoginError(_PROVIDER_ERROR)
    return found


# Cookies


def read_cookies(request: Request) -> dict[str, str]:
    """Return the cookies of a request."""
    pairs = [
        each.strip().partition("=") for name, value in request.headers if name == "cookie" for each in value.split(";")
    ]
    return {name: value for name, _, value in pairs if name}


def _join_shards(cookies: dict[str, str], name: str) -> str:
    return "".join(cookies.get(f"{name}-{number}", "") for number in range(_MAX_SHARDS))


def _set_cookie(name: str, value: str, seconds: int | None = None) -> tuple[str, str]:
    age = "" if seconds is None else f"; Max-Age={seconds}"
    return "set-cookie", f"{name}={value}; Path=/{age}; Secure; HttpOnly"


def _seal(block: Block, place: str, content: dict[str, Any]) -> str:
    sealed = block.cloud.vault.encrypt(json.dumps(content).encode(), f"elbv2 {place}")
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def _open(block: Block, place: str, sealed: str) -> dict[str, Any] | None:
    """Return what was sealed for a place; None for anything else."""
    if not re.fullmatch(r"[\w-]+", sealed, re.ASCII):
        return None
    try:
        opened = block.cloud.vault.decrypt(urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)), f"elbv2 {place}")
    except (UnreadableSecret, binascii.Error):
        return None
    content: dict[str, Any] = json.loads(opened)
    return content
