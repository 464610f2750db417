"""Copying all that one store holds into another, whatever their engines are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from cloudlet.store.interface import Row, Store, StoreError, Transaction

_FIRST = b""
_END = b"\xff"
"""No key begins with this byte: keys are packed tuples."""

_BATCH_ROWS = 1000
_BATCH_BYTES = 4 << 20


async def fill(target: Store, rows: Iterable[list[Row]]) -> int:
    """Put rows into a store, which must be empty; return how many there were. Raises StoreError as `copy` does."""
    await _check_empty(target)
    copied = 0
    for batch in rows:
        await target.transact(partial(_put, rows=batch))
        copied += len(batch)
    return copied


async def _check_empty(target: Store) -> None:
    if await target.transact(partial(_rows, begin=_FIRST, limit=1)):
        raise StoreError("the store to copy to is not empty")


async def copy(source: Store, target: Store) -> int:
    """Copy all rows of `source` into `target`, which must be empty; return how many there were.

    Rows are copied in batches, each a transaction of its own: nobody may write to either store meanwhile. Raises
    StoreError where there is something in the target already, and where a store does; what has been copied by then
    stays.
    """
    await _check_empty(target)
    begin, limit, copied = _FIRST, 1, 0
    while rows := await source.transact(partial(_rows, begin=begin, limit=limit)):
        await target.transact(partial(_put, rows=rows))
        copied += len(rows)
        begin = rows[-1][0] + b"\x00"
        # The rows to come are as large as these, more or less.
        size = sum(len(key) + len(value) for key, value in rows)
        limit = max(1, min(_BATCH_ROWS, 2 * limit, _BATCH_BYTES * len(rows) // size))
    return copied


async def _rows(tx: Transaction, *, begin: bytes, limit: int) -> list[Row]:
    return await tx.range(begin, _END, limit=limit)


async def _put(tx: Transaction, *, rows: list[Row]) -> None:
    for key, value in rows:
        tx.put(key, value)
