"""Bearer tokens that an Application Load Balancer verifies (user guide, "Verify JWTs")."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.services.elbv2.proxy.block_server import Request, Response, make_page
from cloudlet.services.elbv2.proxy.view import Description

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
_MAX_AGE_SECONDS: Final = 600
_MIN_AGE_SECONDS: Final = 60
_MAX_KEY_SETS: Final = 500
_MAX_DOCUMENT_BYTES: Final = 150 << 10
_TIMEOUT_SECONDS: Final = 5.0
_LEEWAY_SECONDS: Final = 60
_OK: Final = 200


class _KeySet(NamedTuple):
    keys: dict[str, Any]
    fetched: float


class Keys:
    """The keys of endpoints, which are kept for a while."""

    def __init__(self) -> None:
        self._client = HttpClient(connections=8)
        self._known: dict[str, _KeySet] = {}
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find(self, endpoint: str, id: str, now: float) -> Any | None:
        """Return a key by its id. Raises HttpError and ValueError where the endpoint does not tell."""
        async with self._fetching.setdefault(endpoint, asyncio.Lock()):
            known = self._known.get(endpoint)
            if known is None or _is_stale(known, id, now):
                known = _KeySet(await self._fetch(endpoint), now)
                if len(self._known) >= _MAX_KEY_SETS:
                    self._known.clear()
                self._known[endpoint] = known
        return known.keys.get(id)

    async def _fetch(self, endpoint: str) -> dict[str, Any]:
        import jwt

        response = await self._client.request("GET", endpoint, timeout=_TIMEOUT_SECONDS, limit=_MAX_DOCUMENT_BYTES)
        if response.status != _OK:
            raise ValueError(f"{endpoint} answers {response.status}")
        try:
            found = jwt.PyJWKSet.from_dict(msgspec.json.decode(response.body, type=dict[str, Any]))
        except jwt.PyJWTError as error:
            raise ValueError(str(error)) from error
        return {key.key_id or "": key.key for key in found.keys}


def _is_stale(known: _KeySet, id: str, now: float) -> bool:
    age = abs(now - known.fetched)
    return age > _MAX_AGE_SECONDS or (id not in known.keys and age > _MIN_AGE_SECONDS)


KEYS: Final = PerBlock(lambda _: Keys())


async def validate(block: Block, action: Description, request: Request) -> Response:
    """Return the response by which Envoy lets a request pass, or answers it."""
    import jwt

    config = action["JwtValidationConfig"]
    scheme, _, token = request.get("authorization").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return make_page(401)
    now = block.clock.now()
    try:
        id = jwt.get_unverified_header(token).get("kid", "")
        key = await KEYS.get(block).find(config["JwksEndpoint"], id, now)
    except jwt.PyJWTError:
        return make_page(401)
    except (HttpError, ValueError):
        return make_page(500)
    if key is None:
        return make_page(401)
    try:
        claims = jwt.decode(
            token,
            key,
            _ALGORITHMS,
            issuer=config["Issuer"],
            # Time is the cloud's, not this machine's.
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.PyJWTError:
        return make_page(401)
    if not _is_current(claims, now):
        return make_page(401)
    if not all(has_claim(claims, each) for each in config.get("AdditionalClaims") or ()):
        return make_page(403)
    return Response(_OK)


def _is_current(claims: dict[str, Any], now: float) -> bool:
    times = {name: claims.get(name) for name in ("exp", "nbf", "iat")}
    if not isinstance(times["exp"], int | float) or times["exp"] + _LEEWAY_SECONDS <= now:
        return False
    begins = [times[name] for name in ("nbf", "iat") if times[name] is not None]
    return all(isinstance(each, int | float) and each - _LEEWAY_SECONDS <= now for each in begins)


def has_claim(claims: dict[str, Any], wanted: Description) -> bool:
    """Return whether a claim has one of some values; a list has to have all."""
    value, values = claims.get(wanted["Name"]), list(wanted["Values"])
    match wanted["Format"]:
        case "single-string":
            return isinstance(value, str) and value in values
        case "string-array":
            return isinstance(value, list) and _has_all(value, values)
        case _:
            return isinstance(value, str) and _has_all(value.split(" "), values)


def _has_all(found: Collection[Any], values: list[str]) -> bool:
    return all(each in found for each in values)
