"""Bearer tokens that an Application Load Balancer verifies (user guide, "Verify JWTs")."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.services.elbv2.proxy.block_server import Request, Response, make_page
from cloudlet.services.elbv2.proxy.view import Description

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_ALGORITHMS: Final = ("RS256",)
_MAX_AGE_SECONDS: Final = 600
_MIN_AGE_SECONDS: Final = 60
_MAX_KEY_SETS: Final = 500
_MAX_KEYS: Final = 10
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
        except (jwt.PyJWTError, msgspec.MsgspecError) as error:
            raise ValueError(str(error)) from error
        if len(found.keys) > _MAX_KEYS:
            raise ValueError(f"{endpoint} has more than {_MAX_KEYS} keys")
        return {key.key_id or "": key.key for key in found.keys if isinstance(key.key, RSAPublicKey)}


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
        return make_page(401, "JWTHeaderNotPresent")
    now = block.clock.now()
    try:
        id = jwt.get_unverified_header(token).get("kid", "")
        key = await KEYS.get(block).find(config["JwksEndpoint"], id, now)
    except jwt.PyJWTError:
        return make_page(401, "JWTRequestFormatInvalid")
    except (HttpError, ValueError):
        return make_page(500)
    try:
        if key is None:
            raise jwt.InvalidSignatureError
        claims = jwt.decode(
            token,
            key,
            _ALGORITHMS,
            # Time is the cloud's, not this machine's.
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
        return make_page(401, "JWTSignatureValidationError")
    except jwt.PyJWTError:
        return make_page(401, "JWTRequestFormatInvalid")
    if error := _check_claims(claims, config, now):
        return make_page(401, error)
    for wanted in config.get("AdditionalClaims") or ():
        if not has_claim(claims, wanted):
            return make_page(403, "JWTClaimValueInvalid" if wanted["Name"] in claims else "JWTClaimNotPresent")
    return Response(_OK)


def _check_claims(claims: dict[str, Any], config: Description, now: float) -> str:
    """Return AWS's code for what is wrong with the usual claims, or ""."""
    if "iss" not in claims or "exp" not in claims:
        return "JWTClaimNotPresent"
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if not all(isinstance(each, int | float) for each in times.values()):
        return "JWTClaimFormatInvalid"
    begins = [times[name] for name in ("nbf", "iat") if name in times]
    is_current = times["exp"] + _LEEWAY_SECONDS > now and all(each - _LEEWAY_SECONDS <= now for each in begins)
    return "" if is_current and claims["iss"] == config["Issuer"] else "JWTClaimValueInvalid"


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
