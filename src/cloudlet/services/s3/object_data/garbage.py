"""Files that nobody refers to any more.

Each file that a row refers to has a row of its own here. Whoever forgets a file turns that row into one of garbage, in
the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.garbage import GarbageCollector

_FILES = Subspace("file")
_GRACE_SECONDS = 10.0
"""Whoever has read of a file opens it sooner than that."""


async def _is_claimed(tx: Transaction, blob: str) -> bool:
    return await tx.get(_FILES.key(blob)) is not None


GARBAGE = GarbageCollector(_is_claimed, _GRACE_SECONDS, in_milliseconds=True)


def claim(tx: Transaction, blobs: Iterable[str]) -> None:
    """Note that files are referred to."""
    for blob in blobs:
        tx.put(_FILES.key(blob), b"")


def release(tx: Transaction, blobs: Iterable[str], now: int) -> None:
    """Note that files are referred to no longer, at `now` in milliseconds since the epoch."""
    for blob in blobs:
        tx.delete(_FILES.key(blob))
        GARBAGE.add(tx, blob, now)
