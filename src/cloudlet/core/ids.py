"""Random identifiers, from the system's source of randomness."""

from __future__ import annotations

import os
import secrets

_POOL_BYTES = 4096
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_pool = b""
_at = 0


def random_bytes(size: int) -> bytes:
    """Return `size` (at most 4096) random bytes. They are read in larger pieces: each read is a system call."""
    global _pool, _at
    if _at + size > len(_pool):
        _pool = os.urandom(_POOL_BYTES)
        _at = 0
    part = _pool[_at : _at + size]
    _at += size
    return part


def uuid4() -> str:
    """Return a random UUID (RFC 9562, version 4) in its usual form."""
    text = random_bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:]}"


def token(size: int, alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") -> str:
    """Return `size` random characters of `alphabet`."""
    return "".join(secrets.choice(alphabet) for _ in range(size))
