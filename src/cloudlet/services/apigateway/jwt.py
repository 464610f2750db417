"""JWT authorizers. Developer guide, "Control access to HTTP APIs with JWT authorizers in API Gateway".

A token is verified with the keys that its issuer publishes, which are kept for two hours; what was verified once is
remembered, so that a client's next request costs no second look at the signature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cloudlet.core.authorization.issuer_keys import IssuerKeys, UnreachableIssuer, UntoldKeys
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.documents import Document
from cloudlet.store.recent import ABSENT, LruCache

_ALGORITHMS = ("RS256", "RS384", "RS512")
"""API Gateway verifies RSA's only."""
_KEYS_SECONDS = 7200
_REMEMBERED = 2000
_LONGEST_REMEMBERED = 8 << 10


_ISSUERS = PerBlock(lambda _: IssuerKeys(("RSA",), _KEYS_SECONDS))


class _Invalid(Exception):
    """The token is not accepted."""


def _refused(reason: str, scopes: frozenset[str] = frozenset()) -> Refused:
    challenge = f'Bearer scope="{" ".join(sorted(scopes))}" error="invalid_token" error_description="{reason}"'
    return Refused(401, "Unauthorized", "UNAUTHORIZED", headers=(("www-authenticate", challenge),), reason=reason)


class JwtAuthorizer:
    """A compiled authorizer of the type JWT."""

    def __init__(self, part: Document) -> None:
        configuration = part["JwtConfiguration"]
        self._issuer: str = configuration["Issuer"]
        self._audience = frozenset(configuration["Audience"])
        self._source: str = part["IdentitySource"][0].removeprefix("$")
        self._verified = LruCache(_REMEMBERED)

    async def admit(
        self, block: Block, lookup: Callable[[str], str | None], scopes: frozenset[str]
    ) -> tuple[dict[str, Any], list[str] | None]:
        """Return the claims of a request's token, and those of the scopes that the route asks for. Raises Refused."""
        token = (lookup(self._source) or "").strip()
        if token[:7].lower() == "bearer ":
            token = token[7:].strip()
        if not token:
            raise Refused(
                401,
                "Unauthorized",
                "UNAUTHORIZED",
                headers=(("www-authenticate", "Bearer"),),
                reason="there is no token",
            )
        try:
            claims = await self._claims(block, token)
            self._check(claims, block.clock.now())
        except _Invalid as invalid:
            raise _refused(str(invalid), scopes) from invalid
        if not scopes:
            return _flat(claims), None
        granted = scopes & _scopes(claims)
        if not granted:
            needed = " ".join(sorted(scopes))
            challenge = (
                f'Bearer scope="{needed}" error="insufficient_scope" error_description="the token has none of them"'
            )
            raise Refused(
                403,
                "Forbidden",
                "ACCESS_DENIED",
                headers=(("www-authenticate", challenge),),
                reason="insufficient_scope",
            )
        return _flat(claims), sorted(granted)

    async def _claims(self, block: Block, token: str) -> dict[str, Any]:
        """Return what a token says, whose signature is right. Raises _Invalid."""
        known = self._verified.get(token)
        if known is not ABSENT:
            claims: dict[str, Any] = known
            return claims
        # Slow to import, and not needed by who has no such authorizers.
        import jwt

        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise _Invalid("the token is malformed") from error
        algorithm = header.get("alg")
        if algorithm not in _ALGORITHMS:
            raise _Invalid("the token is signed with an algorithm that is not supported")
        key = await _key(block, self._issuer, header.get("kid"))
        try:
            content = jwt.PyJWS().decode(token, key, algorithms=[algorithm])
            claims = msgspec.json.decode(content, type=dict[str, Any])
        except (jwt.PyJWTError, msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
            raise _Invalid("the signature of the token is invalid") from error
        if len(token) <= _LONGEST_REMEMBERED:
            self._verified.add(token, claims)
        return claims

    def _check(self, claims: dict[str, Any], now: float) -> None:
        if claims.get("iss") != self._issuer:
            raise _Invalid("the issuer of the token does not match")
        audience = claims.get("aud")
        if audience is None:
            audience = claims.get("client_id")
        given = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(each, str) and each in self._audience for each in given):
            raise _Invalid("the audience of the token does not match")
        if _time(claims, "exp", 0.0) <= now:
            raise _Invalid("the token has expired")
        if _time(claims, "nbf", now) > now or _time(claims, "iat", now) > now:
            raise _Invalid("the token is not valid yet")


def _time(claims: dict[str, Any], name: str, default: float) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Invalid(f"the claim {name} is no time")
    return value


def _scopes(claims: dict[str, Any]) -> set[str]:
    """Return the scopes of a token, which are in `scope` or `scp`."""
    result: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            result.update(value.split())
        elif isinstance(value, list):
            result.update(each for each in value if isinstance(each, str))
    return result


def _flat(claims: dict[str, Any]) -> dict[str, Any]:
    """Return claims as events have them: all are text."""
    return {name: _text(value) for name, value in claims.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(_text(each) for each in value)}]"
    return msgspec.json.encode(value).decode()


async def _key(block: Block, issuer: str, id: Any) -> Any:
    """Return the key of an issuer. Raises _Invalid."""
    if not isinstance(id, str) or not id:
        raise _Invalid("the token names no key")
    try:
        key = await _ISSUERS.get(block).find(issuer, id, block.clock.now())
    except (UnreachableIssuer, UntoldKeys) as error:
        raise _Invalid("OIDC discovery endpoint communication error") from error
    if key is None:
        raise _Invalid("the issuer has no key of the id that the token names")
    return key
