"""A stretch of rows, which may be large: as many as are wanted, or as may be in memory together."""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.store.interface import Row

_FIRST_ROWS = 8


class Batch(NamedTuple):
    rows: list[Row]
    is_last: bool
    """Whether there are no more rows in the range."""


async def read(
    tx: Transaction, begin: bytes, end: bytes, *, limit: int, most_bytes: int, reverse: bool = False
) -> Batch:
    """Return the first rows of a range, or the last where `reverse`: so many, or of so many bytes, about."""
    rows: list[Row] = []
    size = 0
    count = _FIRST_ROWS
    while len(rows) < limit and size < most_bytes:
        count = min(count, limit - len(rows))
        found = await tx.range(begin, end, limit=count, reverse=reverse)
        rows += found
        size += sum([len(value) for _, value in found])
        if len(found) < count:
            return Batch(rows, is_last=True)
        begin, end = (begin, rows[-1][0]) if reverse else (rows[-1][0] + b"\0", end)
        # As many more as have room if they are as large as those so far, but not many more than those.
        count = max(1, min(2 * len(rows), (most_bytes - size) * len(rows) // max(size, 1)))
    return Batch(rows, is_last=False)
