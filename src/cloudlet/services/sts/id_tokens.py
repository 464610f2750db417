"""ID tokens of OpenID Connect providers: what they say, and whether that is so.

IAM User Guide, "OIDC federation" and "Passing session tags using AssumeRoleWithWebIdentity"; RFC 7519.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cloudlet.core.kernel.block import Block
from cloudlet.services.sts.errors import ExpiredIdentityToken, InvalidIdentityToken
from cloudlet.services.sts.issuer_keys import KeyNotFound, find_key, is_allowed

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
MAX_SKEW_SECONDS: Final = 300
_TAGS: Final = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"


@dataclass(frozen=True, slots=True)
class IdToken:
    """A token, of which nothing is proven until it is verified."""

    text: str
    algorithm: str
    key_id: str
    claims: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> IdToken:
        """Parse a token in its compact form. Raises AwsError."""
        # Slow to import, and not needed by who has no tokens.
        import jwt

        try:
            token = jwt.PyJWS().decode_complete(text, options={"verify_signature": False})
            claims = msgspec.json.decode(token["payload"], type=dict[str, Any])
        except (jwt.PyJWTError, msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
            raise InvalidIdentityToken(
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
            ) from error
        header = token["header"]
        algorithm, key_id = header.get("alg"), header.get("kid", "")
        if algorithm not in ALGORITHMS or not isinstance(key_id, str):
            raise InvalidIdentityToken("The ID Token provided is signed with an algorithm that is not supported")
        for name in ("iss", "sub", "aud", "exp", "iat"):
            if claims.get(name) in (None, "", []):
                raise InvalidIdentityToken(f"Missing a required claim: {name}")
        parsed = cls(text, algorithm, key_id, claims)
        if not all(isinstance(claims[name], str) for name in ("iss", "sub")) or not is_allowed(parsed.issuer):
            raise InvalidIdentityToken("Issuer must be a valid URL")
        return parsed

    @property
    def issuer(self) -> str:
        """The URL of the issuer."""
        return str(self.claims["iss"])

    @property
    def issuer_name(self) -> str:
        """The issuer, as ARNs and condition keys have it."""
        return self.issuer.partition("://")[2]

    @property
    def subject(self) -> str:
        """The user, as the issuer names him."""
        return str(self.claims["sub"])

    @property
    def source_identity(self) -> str:
        """The source identity that the provider sets; empty for none."""
        value = self.claims.get(_SOURCE_IDENTITY, "")
        return value if isinstance(value, str) else ""

    def find_audience(self, client_ids: Collection[str]) -> str | None:
        """Return the client that it was issued to, if that is one of these.

        The authorized party (`azp`) counts as such where there is one, as with AWS.
        """
        audience = self.claims.get("azp") or self.claims["aud"]
        named = audience if isinstance(audience, list) else [audience]
        return next((each for each in named if isinstance(each, str) and each in client_ids), None)

    def check_times(self, now: float) -> None:
        """Raise AwsError unless it holds by the machine's clock. Its issuer has a real one."""
        expires = self._get_time("exp", 0)
        if expires <= now:
            raise ExpiredIdentityToken(
                f"Token expired: current date/time {int(now)} must be before the expiration date/time {int(expires)}"
            )
        if max(self._get_time("nbf", 0), self._get_time("iat", 0)) > now + MAX_SKEW_SECONDS:
            raise InvalidIdentityToken("The ID Token provided is not valid yet")

    def _get_time(self, name: str, default: float) -> float:
        value = self.claims.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidIdentityToken(f"The claim {name} must be a number of seconds")
        return value

    async def verify(self, block: Block, thumbprints: Collection[str]) -> None:
        """Raise AwsError unless its issuer has signed it."""
        import jwt

        key = await find_key(block, self.issuer, self.key_id, thumbprints)
        try:
            jwt.PyJWS().decode(self.text, key, algorithms=[self.algorithm])
        except jwt.InvalidSignatureError as error:
            raise InvalidIdentityToken("The ID Token provided has an invalid signature") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            # The key is one of another algorithm.
            raise KeyNotFound from error

    def list_tags(self) -> Iterator[tuple[str, str]]:
        """List the session tags that the provider passes, nested or flat."""
        nested = self.claims.get(_TAGS)
        if isinstance(nested, dict) and isinstance(nested.get("principal_tags"), dict):
            for key, value in nested["principal_tags"].items():
                yield key, _get_tag_value(key, value)
        prefix = f"{_TAGS}/principal_tags/"
        for name, value in self.claims.items():
            if name.startswith(prefix):
                yield name.removeprefix(prefix), _get_tag_value(name, value)

    def list_transitive_keys(self) -> list[str]:
        """List the keys of tags that sessions of a chain inherit."""
        nested = self.claims.get(_TAGS)
        keys = nested.get("transitive_tag_keys") if isinstance(nested, dict) else None
        return [
            each
            for listed in (keys, self.claims.get(f"{_TAGS}/transitive_tag_keys"))
            for each in (listed if isinstance(listed, list) else [listed])
            if isinstance(each, str)
        ]

    def to_keys(self, audience: str) -> dict[str, str | tuple[str, ...]]:
        """Return the condition keys of its issuer."""
        name = self.issuer_name
        keys: dict[str, str | tuple[str, ...]] = {f"{name}:aud": audience, f"{name}:sub": self.subject}
        methods = self.claims.get("amr")
        listed = [methods] if isinstance(methods, str) else methods if isinstance(methods, list) else []
        if known := tuple(each for each in listed if isinstance(each, str)):
            keys[f"{name}:amr"] = known
        return keys


def _get_tag_value(key: str, value: object) -> str:
    """Return the value of a session tag, also from a list of one. Raises AwsError."""
    only = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(only, str):
        raise InvalidIdentityToken(f"The tag {key} must have one value")
    return only
