"""The keys that OpenID Connect providers publish, which are kept for a while.

OpenID Connect Discovery 1.0; IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM". Only issuers
for which an account has a provider in IAM are asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.origins import is_loopback_name
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse
from cloudlet.services.sts.errors import InvalidIdentityToken
from cloudlet.services.sts.pinned_authorities import find_context

MAX_AGE_SECONDS: Final = 3600
MIN_AGE_SECONDS: Final = 60
"""The age up to which keys are not fetched again for one that is missing."""
MAX_DOCUMENT_BYTES: Final = 256 * 1024
MAX_ISSUERS: Final = 500
MAX_KEYS: Final = 100
_TIMEOUT_SECONDS: Final = 5.0
_OK: Final = 200


_Source = tuple[str, frozenset[str]]
"""An issuer, and the thumbprints of its certificate. Another account need not trust these."""


@dataclass(frozen=True, slots=True)
class _IssuerKeys:
    """The keys of an issuer, by their ids; "" for one that has none."""

    keys: dict[str, Any]
    fetched: float


class _Issuers:
    """The issuers that a block knows."""

    def __init__(self, _: Block) -> None:
        self.client = HttpClient(connections=8)
        self.known: dict[_Source, _IssuerKeys] = {}
        self.fetching: WeakValueDictionary[_Source, asyncio.Lock] = WeakValueDictionary()


_ISSUERS: Final[PerBlock[_Issuers]] = PerBlock(_Issuers)


class KeyNotFound(InvalidIdentityToken):
    """The provider has no such key, or does not tell its keys."""

    def __init__(self) -> None:
        super().__init__(
            "Couldn't retrieve verification key from your identity provider,  "
            "please reference AssumeRoleWithWebIdentity documentation for requirements"
        )


class _Unreachable(AwsError):
    """The provider cannot be asked now."""

    def __init__(self, reason: str) -> None:
        super().__init__("IDPCommunicationErrorException", f"Error communicating with the identity provider: {reason}")


async def find_key(block: Block, issuer: str, id: str, thumbprints: Collection[str]) -> Any:
    """Return the key of an issuer by its id, or without one its only key. Raises AwsError."""
    issuers = _ISSUERS.get(block)
    now = block.clock.now()
    source = issuer, frozenset(thumbprints)
    known = issuers.known.get(source)
    if known is None or _is_stale(known, id, now):
        async with issuers.fetching.setdefault(source, asyncio.Lock()):
            known = issuers.known.get(source)
            if known is None or _is_stale(known, id, now):
                known = _IssuerKeys(await _fetch_keys(issuers, issuer, thumbprints), now)
                if len(issuers.known) >= MAX_ISSUERS:
                    issuers.known.clear()
                issuers.known[source] = known
    key = known.keys.get(id)
    if key is None and not id and len(known.keys) == 1:
        key = next(iter(known.keys.values()))
    if key is None:
        raise KeyNotFound
    return key


def _is_stale(known: _IssuerKeys, id: str, now: float) -> bool:
    age = abs(now - known.fetched)
    return age > MAX_AGE_SECONDS or (bool(id) and id not in known.keys and age > MIN_AGE_SECONDS)


async def _fetch_keys(issuers: _Issuers, issuer: str, thumbprints: Collection[str]) -> dict[str, Any]:
    # Slow to import, and not needed by who has no tokens.
    import jwt

    discovery = await _fetch(issuers, issuer.removesuffix("/") + "/.well-known/openid-configuration", thumbprints)
    address = discovery.get("jwks_uri")
    if discovery.get("issuer") != issuer or not isinstance(address, str) or not is_allowed(address):
        raise KeyNotFound
    listed = (await _fetch(issuers, address, thumbprints)).get("keys")
    keys: dict[str, Any] = {}
    for each in listed[:MAX_KEYS] if isinstance(listed, list) else ():
        try:
            if each.get("kty") in ("RSA", "EC") and each.get("use", "sig") == "sig":
                keys[str(each.get("kid", ""))] = jwt.PyJWK(each).key
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            # A key that cannot be read does not make the others useless.
            continue
    return keys


def is_allowed(url: str) -> bool:
    """Whether keys are fetched from an address: without TLS from this machine only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback_name(parts.hostname or ""))
    )


async def _fetch(issuers: _Issuers, url: str, thumbprints: Collection[str]) -> dict[str, Any]:
    try:
        response = await _get(issuers, url, thumbprints)
    except HttpError as error:
        raise _Unreachable(str(error)) from error
    except ValueError as error:
        raise KeyNotFound from error
    if response.status >= 500:
        raise _Unreachable(f"it answered with the status {response.status}")
    if response.status != _OK:
        raise KeyNotFound
    try:
        return msgspec.json.decode(response.body, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise KeyNotFound from error


async def _get(issuers: _Issuers, url: str, thumbprints: Collection[str]) -> HttpResponse:
    """Return the answer of a server, trusted by the machine or by a thumbprint. Raises HttpError."""
    try:
        return await issuers.client.request("GET", url, timeout=_TIMEOUT_SECONDS, limit=MAX_DOCUMENT_BYTES)
    except HttpError as error:
        if error.kind != "tls":
            raise
    context = await find_context(url, thumbprints)
    if context is None:
        raise InvalidIdentityToken("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
    client = HttpClient(ssl_context=context, connections=1, resting=0)
    return await client.request("GET", url, timeout=_TIMEOUT_SECONDS, limit=MAX_DOCUMENT_BYTES)
