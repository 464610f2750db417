"""Ranges of rows, read in bounded pieces by jobs and lists."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.store.interface import Row

BYTES: Final = 1 << 20
"""When a transaction of a job has read so much, that is enough for it."""
_FIRST: Final = 4


async def some(tx: Transaction, begin: bytes, end: bytes, count: int) -> tuple[list[Row], bool]:
    """Return up to `count` rows with begin <= key < end, and whether there may be more.

    Where they are large there are fewer: as many as have `BYTES` together, and one at least where there is any.
    """
    found: list[Row] = []
    size, wanted = 0, min(_FIRST, count)
    while wanted:
        rows = await tx.range(begin, end, limit=wanted)
        for row in rows:
            if size >= BYTES:
                return found, True
            found.append(row)
            size += len(row[1])
        if len(rows) < wanted:
            return found, False
        begin = rows[-1][0] + b"\x00"
        wanted = min(2 * wanted, count - len(found))
    return found, True


async def list_records(
    tx: Transaction, kept: Subspace, account: str, region: str, table: str | None, after: bytes | None, count: int
) -> list[bytes]:
    """Return up to `count` records of a table, or of all, after a key."""
    space = kept.sub(account, region) if table is None else kept.sub(account, region, table)
    begin = space.begin if after is None else max(space.begin, after + b"\x00")
    found = await tx.range(begin, space.end, limit=count) if begin < space.end else []
    return [raw for _, raw in found]
