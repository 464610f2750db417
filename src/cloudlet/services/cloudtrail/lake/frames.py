"""Messages between a worker and who started it: their length in four bytes, and msgpack."""

from __future__ import annotations

from typing import Any, BinaryIO

import msgspec

LENGTH_BYTES = 4

_encode = msgspec.msgpack.Encoder().encode


def written(message: Any) -> bytes:
    """Return a message as it is sent."""
    packed = _encode(message)
    return len(packed).to_bytes(LENGTH_BYTES) + packed


def read(source: BinaryIO) -> Any:
    """Return the next message; None at the end."""
    length = source.read(LENGTH_BYTES)
    return msgspec.msgpack.decode(source.read(int.from_bytes(length))) if len(length) == LENGTH_BYTES else None
