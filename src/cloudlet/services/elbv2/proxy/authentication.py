"""Users whom an Application Load Balancer authenticates (user guide, "Authenticate users" and "Verify JWTs").

What is known of a session is in its cookies, encrypted; so is what is to be remembered while a user is at the provider.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlencode

from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.vault import UnreadableSecret
from cloudlet.services.elbv2.proxy import identity_providers, user_claims
from cloudlet.services.elbv2.proxy.authenticating import CALLBACK
from cloudlet.services.elbv2.proxy.block_server import Request, Response, make_page
from cloudlet.services.elbv2.proxy.identity_providers import PROVIDER_ERROR, Login, LoginError
from cloudlet.services.elbv2.proxy.view import Description

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_SESSION_COOKIE: Final = "AWSELBAuthSessionCookie"
_NONCE_COOKIE: Final = "AWSALBAuthNonce"
_SESSION_SECONDS: Final = 604800
_LOGIN_SECONDS: Final = 900
_MAX_COOKIE_BYTES: Final = 3900
_MAX_SHARDS: Final = 5
_SHARED_SECONDS: Final = 10.0
"""The time for which a refreshed session is kept for requests with the former one."""
_OK: Final = 200
_DEFAULT_PORT: Final = 443
Session = dict[str, Any]


async def authenticate(
    block: Block, signer: str, key: str, action: Description, request: Request, port: int = _DEFAULT_PORT
) -> Response:
    """Return the response by which Envoy lets a request pass, or answers it.

    It has headers for the target. `signer` is the ARN of the load balancer. `request` has the original path, and
    `port` is where the client reaches the listener.
    """
    config = action["AuthenticateOidcConfig"]
    now = block.clock.now()
    cookies = read_cookies(request)
    sealed = _join_shards(cookies, _get_cookie_name(config))
    session = _open(block, _find_place(signer, config), sealed)
    if session is not None and session["expires"] > now:
        if not session.get("refresh") or session["token_expires"] > now:
            return _let_pass(block, signer, config, session)
        try:
            refresh = partial(_refresh, block, config, session, now)
            session = await _REFRESHES.get(block).share(sealed, refresh)
            return _let_pass(block, signer, config, session, _write_session(block, signer, config, session, cookies))
        except LoginError:
            # The user has logged out at the provider, or the provider does not know him any more.
            pass
    reason = "AuthInvalidCookie" if sealed and session is None else ""
    match config.get("OnUnauthenticatedRequest") or "authenticate":
        case "allow":
            return Response(_OK)
        case "deny":
            return make_page(401, reason)
    return _send_to_provider(block, key, config, request, port)


def _find_place(signer: str, config: Description) -> str:
    """Return the place for which sessions are sealed.

    They hold for all rules of a load balancer that have one provider.
    """
    return f"{signer} session {config['Issuer']} {config['ClientId']}"


def _get_cookie_name(config: Description) -> str:
    return config.get("SessionCookieName") or _SESSION_COOKIE


def _let_pass(
    block: Block, signer: str, config: Description, session: Session, cookies: Sequence[tuple[str, str]] = ()
) -> Response:
    claims = user_claims.sign(block, signer, config, session["claims"], session["expires"])
    told = [
        ("x-amzn-oidc-accesstoken", session["token"]),
        ("x-amzn-oidc-identity", str(session["claims"].get("sub", ""))),
        ("x-amzn-oidc-data", claims),
    ]
    return Response(_OK, [*told, *cookies], metric="ELBAuthRefreshTokenSuccess" if cookies else "")


def _send_to_provider(block: Block, key: str, config: Description, request: Request, port: int) -> Response:
    nonce = random_bytes(16).hex()
    host = request.get("host")
    if not host:
        return make_page(401, "AuthMissingHostHeader")
    # Envoy takes the port away that the client has sent, unless the load balancer preserves hosts.
    has_port = host.rpartition(":")[2].isdigit() and not host.endswith("]")
    origin = f"https://{host}" if has_port or port == _DEFAULT_PORT else f"https://{host}:{port}"
    redirect = f"{origin}{CALLBACK}"
    kept = {
        "key": key,
        "url": f"{origin}{request.target}",
        "redirect": redirect,
        "nonce": nonce,
        "expires": block.clock.now() + _LOGIN_SECONDS,
    }
    parameters = {
        "response_type": "code",
        "client_id": config["ClientId"],
        "redirect_uri": redirect,
        "state": _seal(block, "login", kept),
        "scope": config.get("Scope") or "openid",
        **(config.get("AuthenticationRequestExtraParams") or {}),
    }
    endpoint = config["AuthorizationEndpoint"]
    location = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters, quote_via=quote)}"
    return Response(302, [("location", location), _set_cookie(_NONCE_COOKIE, nonce), ("cache-control", "no-store")])


async def take_callback(block: Block, signer: str, actions: dict[str, Description], request: Request) -> Response:
    """Return the response to a user who comes back from the provider, with a session.

    `actions` are those of the load balancer that authenticate users, by their keys.
    """
    try:
        return await _take_callback(block, signer, actions, request)
    except LoginError as error:
        return make_page(error.status, error.reason)


async def _take_callback(block: Block, signer: str, actions: dict[str, Description], request: Request) -> Response:
    query = parse_qs(request.target.partition("?")[2])
    code, state, denial = (query.get(name, [""])[0] for name in ("code", "state", "error"))
    now = block.clock.now()
    cookies = read_cookies(request)
    kept = _check_state(block, actions, state, cookies.get(_NONCE_COOKIE, ""), now)
    if denial:
        # AWS has no code for what the authorization endpoint refuses.
        raise LoginError(401 if denial == "access_denied" else PROVIDER_ERROR, "")
    if not code:
        raise LoginError(401, "AuthMissingCodeParam")
    config = actions[kept["key"]]["AuthenticateOidcConfig"]
    login = await identity_providers.get_login(block, config, code, kept["redirect"])
    seconds = int(config.get("SessionTimeout") or _SESSION_SECONDS)
    session = _make_session(login, now, now + seconds)
    written = _write_session(block, signer, config, session, cookies)
    headers = [("location", kept["url"]), *written, _set_cookie(_NONCE_COOKIE, "", 0)]
    return Response(302, headers, metric="ELBAuthSuccess")


def _check_state(block: Block, actions: dict[str, Description], state: str, nonce: str, now: float) -> dict[str, Any]:
    """Return what was kept while a user was at the provider. Raises LoginError."""
    if not state:
        raise LoginError(401, "AuthMissingStateParam")
    kept = _open(block, "login", state)
    if kept is None or kept["expires"] < now or kept["key"] not in actions:
        raise LoginError(401, "AuthInvalidStateParam")
    if nonce != kept["nonce"]:
        raise LoginError(401, "AuthInvalidAWSALBAuthNonce" if nonce else "AuthMissingAWSALBAuthNonce")
    return kept


# Sessions


def _make_session(login: Login, now: float, expires: float) -> Session:
    # Without a refresh token a session holds until its end, whatever its access token does.
    lasts = login.token_seconds if login.token_seconds is not None else expires - now
    return {
        "token": login.token,
        "claims": login.claims,
        "expires": expires,
        "refresh": login.refresh_token,
        "token_expires": now + lasts,
    }


async def _refresh(block: Block, config: Description, session: Session, now: float) -> Session:
    login = await identity_providers.refresh(block, config, session["refresh"])
    return _make_session(login, now, session["expires"])


class _Refreshes:
    """Sessions that are being refreshed, or were just now.

    A refresh token may be good for one time only.
    """

    def __init__(self) -> None:
        self._shared: dict[bytes, asyncio.Task[Session]] = {}

    async def share(self, sealed: str, refresh: Callable[[], Coroutine[Any, Any, Session]]) -> Session:
        """Return the refreshed session of a sealed one. Raises LoginError."""
        key = sha256(sealed.encode()).digest()
        task = self._shared.get(key)
        if task is None:
            loop = asyncio.get_running_loop()
            task = self._shared[key] = loop.create_task(refresh())
            task.add_done_callback(lambda _: loop.call_later(_SHARED_SECONDS, self._shared.pop, key, None))
        return await asyncio.shield(task)


_REFRESHES: Final = PerBlock(lambda _: _Refreshes())


def _write_session(
    block: Block, signer: str, config: Description, session: Session, cookies: dict[str, str]
) -> list[tuple[str, str]]:
    """Return the cookies of a session; those of a longer one before are removed. Raises LoginError."""
    sealed = _seal(block, _find_place(signer, config), session)
    name = _get_cookie_name(config)
    shards = [sealed[begin : begin + _MAX_COOKIE_BYTES] for begin in range(0, len(sealed), _MAX_COOKIE_BYTES)]
    if len(shards) > _MAX_SHARDS:
        raise LoginError(401, "AuthUserinfoResponseSizeExceeded")
    seconds = round(session["expires"] - block.clock.now())
    written = [_set_cookie(f"{name}-{number}", shard, seconds) for number, shard in enumerate(shards)]
    others = (f"{name}-{number}" for number in range(len(shards), _MAX_SHARDS))
    return [*written, *(_set_cookie(each, "", 0) for each in others if each in cookies)]


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
