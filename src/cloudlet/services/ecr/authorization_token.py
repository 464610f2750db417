"""The tokens by which clients of the registry say who they are. User guide, "Private registry authentication".

A token holds a principal under the cloud's master key, and when it expires; its registry is that of a region.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from typing import Final, NamedTuple

import msgspec

from cloudlet.core import Context
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal

USER: Final = "AWS"
VALID_SECONDS: Final = 12 * 3600
_KEY: Final = "ecr-authorization-token"
_MAC_BYTES: Final = 32


class _Payload(msgspec.Struct, frozen=True, array_like=True):
    region: str
    account: str
    session: str
    """A session token, which is of no use without the secret that it comes with."""


class Bearer(NamedTuple):
    """The principal behind a token, and the registry that it was asked for at."""

    principal: Principal
    region: str
    account: str


class ExpiredToken(ValueError):
    """A token whose time is up."""


def issue(ctx: Context, account: str, expires: float) -> str:
    """Return a password for the registry of an account in the caller's region."""
    session = ctx.block.cloud.tokens.issue(ctx.principal, expires).session_token
    payload = msgspec.msgpack.encode(_Payload(ctx.region, account, session))
    return b64encode(_sign(ctx.block, payload) + payload).decode()


def open_password(block: Block, password: str) -> Bearer:
    """Return who has a password. Raises ValueError for one that was not issued here, or has expired."""
    raw = b64decode(password, validate=True)
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _sign(block, payload)):
        raise ValueError("the token was not issued here")
    said = msgspec.msgpack.decode(payload, type=_Payload)
    session = block.cloud.tokens.open(said.session)
    if session.expires < block.clock.now():
        raise ExpiredToken
    return Bearer(session.principal, said.region, said.account)


def open_basic(block: Block, header: str) -> Bearer:
    """Return who an Authorization header names. Raises ValueError where it names nobody."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "basic":
        raise ValueError("the scheme is not Basic")
    try:
        user, _, password = b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    if user != USER:
        raise ValueError("the user is not AWS")
    return open_password(block, password)


def _sign(block: Block, payload: bytes) -> bytes:
    return hmac.digest(block.cloud.tokens.derive_key(_KEY), payload, "sha256")
