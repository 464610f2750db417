"""NextToken: where a SELECT goes on. It goes with the statement and parameters that it was given for only."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec

from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.item_data.values import Item

_DIGEST_BYTES = 16


class Position(msgspec.Struct, array_like=True, frozen=True):
    """A place in what a SELECT reads: the number of the range, and the key of the last item that was looked at."""

    digest: bytes
    range: int
    last: Item | None = None

    def token(self) -> str:
        return base64.b64encode(msgspec.msgpack.encode(self)).decode()


def digest_of(asked: Any) -> bytes:
    """Return a digest of a statement and its parameters."""
    return hashlib.sha256(msgspec.msgpack.encode(asked, order="deterministic")).digest()[:_DIGEST_BYTES]


def position(token: str, digest: bytes) -> Position:
    """Return the place that a token names. Raises AwsError for one of another statement."""
    try:
        found = msgspec.msgpack.decode(base64.b64decode(token, validate=True), type=Position)
    except (ValueError, msgspec.MsgspecError):
        raise _foreign() from None
    if found.digest != digest:
        raise _foreign()
    return found


def _foreign() -> Exception:
    return validation("NextToken does not match request")
