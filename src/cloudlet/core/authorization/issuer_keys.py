"""The keys that issuers of OpenID Connect tokens publish, which are kept for a while.

OpenID Connect Discovery 1.0, "Obtaining OpenID Provider Configuration Information"; RFC 7517, "JWK Set Format".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse

MIN_AGE_SECONDS: Final = 60
"""The age up to which keys are not fetched again for one that is missing."""
MAX_DOCUMENT_BYTES: Final = 256 << 10
MAX_ISSUERS: Final = 500
MAX_KEYS: Final = 100
_TIMEOUT_SECONDS: Final = 5.0
_OK: Final = 200
_SERVER_ERROR: Final = 500

Get = Callable[[str], Awaitable[HttpResponse]]
"""A request to a server, which raises HttpError, and ValueError for no URL."""
Check = Callable[[dict[str, Any]], bool]
"""Whether a discovery document is accepted."""


class UnreachableIssuer(Exception):
    """The issuer cannot be asked now."""


class UntoldKeys(Exception):
    """The issuer does not tell its keys."""


class _KeySet(NamedTuple):
    keys: dict[str, Any]
    """By their ids; "" for one that has none."""
    fetched: float


class IssuerKeys:
    """The keys of the issuers that a block knows."""

    def __init__(self, kinds: Collection[str], max_age_seconds: float) -> None:
        """`kinds` are the key types that are taken: RSA, EC."""
        self._kinds = frozenset(kinds)
        self._max_age_seconds = max_age_seconds
        self._client = HttpClient(connections=8)
        self._known: dict[Hashable, _KeySet] = {}
        self._fetching: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def find(
        self,
        issuer: str,
        id: str,
        now: float,
        *,
        trusted: Hashable = None,
        get: Get | None = None,
        is_accepted: Check = lambda _: True,
    ) -> Any | None:
        """Return the key of an issuer by its id, without one its only key.

        `trusted` are the certificates by which `get` believes a server, which another caller need not. Raises
        UnreachableIssuer and UntoldKeys.
        """
        source = issuer, trusted
        known = self._known.get(source)
        if known is None or self._is_stale(known, id, now):
            async with self._fetching.setdefault(source, asyncio.Lock()):
                known = self._known.get(source)
                if known is None or self._is_stale(known, id, now):
                    known = _KeySet(await self._fetch_keys(issuer, get or self.get, is_accepted), now)
                    if len(self._known) >= MAX_ISSUERS:
                        self._known.clear()
                    self._known[source] = known
        key = known.keys.get(id)
        if key is None and not id and len(known.keys) == 1:
            return next(iter(known.keys.values()))
        return key

    async def get(self, url: str) -> HttpResponse:
        """Return the answer of a server that this machine trusts. Raises HttpError."""
        return await self._client.request("GET", url, timeout=_TIMEOUT_SECONDS, limit=MAX_DOCUMENT_BYTES)

    def _is_stale(self, known: _KeySet, id: str, now: float) -> bool:
        age = abs(now - known.fetched)
        return age > self._max_age_seconds or (bool(id) and id not in known.keys and age > MIN_AGE_SECONDS)

    async def _fetch_keys(self, issuer: str, get: Get, is_accepted: Check) -> dict[str, Any]:
        # Slow to import, and not needed by who has no tokens.
        import jwt

        discovery = await _fetch(get, issuer.removesuffix("/") + "/.well-known/openid-configuration")
        address = discovery.get("jwks_uri")
        if not isinstance(address, str) or not is_accepted(discovery):
            raise UntoldKeys("the issuer does not say where its keys are")
        listed = (await _fetch(get, address)).get("keys")
        keys: dict[str, Any] = {}
        for each in listed[:MAX_KEYS] if isinstance(listed, list) else ():
            try:
                if each.get("kty") in self._kinds and each.get("use", "sig") == "sig":
                    keys[str(each.get("kid", ""))] = jwt.PyJWK(each).key
            except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
                # A key that cannot be read does not make the others useless.
                continue
        return keys


async def _fetch(get: Get, url: str) -> dict[str, Any]:
    try:
        response = await get(url)
    except HttpError as error:
        raise UnreachableIssuer(str(error)) from error
    except ValueError as error:
        raise UntoldKeys(str(error)) from error
    if response.status >= _SERVER_ERROR:
        raise UnreachableIssuer(f"it answered with the status {response.status}")
    if response.status != _OK:
        raise UntoldKeys(f"it answered with the status {response.status}")
    try:
        return msgspec.json.decode(response.body, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UntoldKeys(str(error)) from error
