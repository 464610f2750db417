"""Random identifiers, from the system's source of randomness."""

from __future__ import annotations

import os
import secrets
from typing import Final

_POOL_BYTES: Final = 4096


class _Bytes:
    """Random bytes, read in larger pieces than are asked for: each read is a system call."""

    __slots__ = ("_at", "_read")

    def __init__(self) -> None:
        self._read = b""
        self._at = 0

    def next(self, size: int) -> bytes:
        at = self._at
        if at + size > len(self._read):
            self._read = os.urandom(_POOL_BYTES)
            at = 0
        self._at = at + size
        return self._read[at : at + size]


_bytes: Final = _Bytes()


def random_bytes(size: int) -> bytes:
    """Return `size` (at most 4096) random bytes."""
    return _bytes.next(size)


def random_below(limit: int) -> int:
    """Return a random integer from 0 to `limit` (at most 2**32), without that."""
    return int.from_bytes(_bytes.next(8), "big") % limit


def uuid4() -> str:
    """Return a random UUID (RFC 9562, version 4) in its usual form."""
    made = _bytes.next(16)
    digits = made.hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[made[8] >> 6]}{digits[17:20]}-{digits[20:]}"


def token(size: int, alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") -> str:
    """Return `size` random characters of `alphabet`."""
    return "".join(secrets.choice(alphabet) for _ in range(size))
