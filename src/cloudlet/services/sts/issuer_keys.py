"""The keys of OpenID Connect providers, by which ID tokens are verified.

IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM". Only issuers for which an account has a
provider in IAM are asked.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from cloudlet.core import AwsError
from cloudlet.core.authorization.issuer_keys import MAX_DOCUMENT_BYTES, IssuerKeys, UnreachableIssuer, UntoldKeys
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.origins import is_loopback_name
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse
from cloudlet.services.sts.errors import InvalidIdentityToken
from cloudlet.services.sts.pinned_authorities import find_context

MAX_AGE_SECONDS: Final = 3600
_TIMEOUT_SECONDS: Final = 5.0
_KEYS: Final = PerBlock(lambda _: IssuerKeys(("RSA", "EC"), MAX_AGE_SECONDS))


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
    keys = _KEYS.get(block)
    try:
        key = await keys.find(
            issuer,
            id,
            block.clock.now(),
            trusted=frozenset(thumbprints),
            get=partial(_get, keys, thumbprints),
            is_accepted=lambda told: told.get("issuer") == issuer and is_allowed(told["jwks_uri"]),
        )
    except UnreachableIssuer as error:
        raise _Unreachable(str(error)) from error
    except UntoldKeys as error:
        raise KeyNotFound from error
    if key is None:
        raise KeyNotFound
    return key


def is_allowed(url: str) -> bool:
    """Whether keys are fetched from an address: without TLS from this machine only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback_name(parts.hostname or ""))
    )


async def _get(keys: IssuerKeys, thumbprints: Collection[str], url: str) -> HttpResponse:
    """Return the answer of a server, trusted by the machine or by a thumbprint. Raises HttpError."""
    try:
        return await keys.get(url)
    except HttpError as error:
        if error.kind != "tls":
            raise
    context = await find_context(url, thumbprints)
    if context is None:
        raise InvalidIdentityToken("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
    client = HttpClient(ssl_context=context, connections=1, resting=0)
    return await client.request("GET", url, timeout=_TIMEOUT_SECONDS, limit=MAX_DOCUMENT_BYTES)
