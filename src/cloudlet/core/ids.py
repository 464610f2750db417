"""Random identifiers, from the system's source of randomness."""

from __future__ import annotations

import os
import secrets
from typing import Final

_POOL_BYTES: Final = 4096
_UUID_BYTES: Final = 16
_UUID_LENGTH: Final = 36
_UUIDS_AT_ONCE: Final = 256
_DIGITS: Final = [place for place in range(_UUID_LENGTH) if place not in (8, 13, 18, 23)]
"""Where the digits of a UUID are in its usual form; between them are hyphens."""
_VERSION: Final = bytes(0x40 | byte & 0x0F for byte in range(256))
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))


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


class _Uuids:
    """UUIDs that are made in advance."""

    __slots__ = ("_at", "_made")

    def __init__(self) -> None:
        self._made = ""
        self._at = 0

    def next(self) -> str:
        at = self._at
        if at == len(self._made):
            self._made = _many_uuids()
            at = 0
        self._at = at + _UUID_LENGTH
        return self._made[at : at + _UUID_LENGTH]


_uuids: Final = _Uuids()


def uuid4() -> str:
    """Return a random UUID (RFC 9562, version 4) in its usual form."""
    return _uuids.next()


def _many_uuids() -> str:
    """Return many UUIDs, one behind the other: made together, digit by digit, each costs a third."""
    made = bytearray(os.urandom(_UUID_BYTES * _UUIDS_AT_ONCE))
    made[6::_UUID_BYTES] = made[6::_UUID_BYTES].translate(_VERSION)
    made[8::_UUID_BYTES] = made[8::_UUID_BYTES].translate(_VARIANT)
    digits = made.hex().encode()
    text = bytearray(b"-" * (_UUID_LENGTH * _UUIDS_AT_ONCE))
    for digit, place in enumerate(_DIGITS):
        text[place::_UUID_LENGTH] = digits[digit :: 2 * _UUID_BYTES]
    return text.decode()


def token(size: int, alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") -> str:
    """Return `size` random characters of `alphabet`."""
    return "".join(secrets.choice(alphabet) for _ in range(size))
