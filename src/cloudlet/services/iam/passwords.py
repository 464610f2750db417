"""Hashes of passwords, by scrypt (RFC 7914). One takes some 50 ms: `cloudlet.core.background.workers` is for that."""

from __future__ import annotations

import hashlib
from typing import Final

from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.ids import random_bytes

_SALT_BYTES: Final = 16
_COST: Final = 2**14
_BLOCK_SIZE: Final = 8


def make_salt() -> bytes:
    """Return a new salt."""
    return random_bytes(_SALT_BYTES)


async def hash_password(account: str, password: str, salt: bytes) -> bytes:
    """Return the hash of a password, computed beside the event loop."""
    return await run_in_worker(
        account, hashlib.scrypt, password.encode(), salt=salt, n=_COST, r=_BLOCK_SIZE, p=1, dklen=32
    )
