"""Canonical user ids: the names that S3 has for accounts.

S3 user guide, "Access control list (ACL) overview", "Finding an AWS account canonical user ID".
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

ANONYMOUS = "anonymous"
"""The account of what an unsigned request has written."""

_ANONYMOUS_ID = "65a011a29cdf8ec533ec3d1ccaae921c"
_ACCOUNT_BYTES = 5
_DIGEST_BYTES = 27


@lru_cache(4096)
def canonical_id(account: str) -> str:
    """Return the canonical user id of an account: 64 hexadecimal digits, from which `account_of` finds it again."""
    if not account.isdecimal():
        return _ANONYMOUS_ID
    digest = hashlib.sha256(b"canonical user id\0" + account.encode()).digest()[:_DIGEST_BYTES]
    return (digest + _masked(int(account), digest).to_bytes(_ACCOUNT_BYTES, "big")).hex()


def account_of(canonical: str) -> str | None:
    """Return the account that has a canonical user id; None for what is nobody's."""
    try:
        raw = bytes.fromhex(canonical)
    except ValueError:
        return None
    if len(raw) != _DIGEST_BYTES + _ACCOUNT_BYTES:
        return None
    account = f"{_masked(int.from_bytes(raw[_DIGEST_BYTES:], 'big'), raw):012d}"
    return account if canonical_id(account) == canonical.lower() else None


def _masked(number: int, digest: bytes) -> int:
    return number ^ int.from_bytes(digest[:_ACCOUNT_BYTES], "big")


def owner(account: str) -> dict[str, Any]:
    """Return an Owner, as answers show it."""
    return {"ID": canonical_id(account)}
