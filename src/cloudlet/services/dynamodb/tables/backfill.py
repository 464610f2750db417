"""Filling a new index from the items that its table has already: a job, so that it outlives the process."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TypeVar

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.dynamodb.item_data import indexes, vectors
from cloudlet.services.dynamodb.requests import rows
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Index, Table, VectorIndex
from cloudlet.services.dynamodb.tables.table_record import ACTIVE, CREATING, IndexRecord, VectorRecord

_TOPIC = b"dynamodb-backfill"
_WANTED = Subspace("backfill")
"""Number of a table → the key, below its items, of the first that is not in its new index yet."""
_Record = TypeVar("_Record", IndexRecord, VectorRecord)

_TABLES = 100
_ROWS = 64
_BYTES = 1 << 20
_STEPS = 16
"""Transactions for a table before others have their turn: an index of one item does not wait for one of millions."""


def begin(tx: Transaction, table_id: int) -> None:
    """Have the new indexes of a table filled."""
    tx.put(_WANTED.key(table_id), b"")
    tx.notify(_TOPIC)


async def fill_indexes(block: Block) -> None:
    """Fill new indexes, also those that were under way when the process ended."""
    async with watching(block, _TOPIC) as changed:
        works = KeyedTasks(block, changed)

        while True:
            changed.clear()
            if not await _turns(block, works):
                await changed.wait()


async def _turns(block: Block, works: KeyedTasks) -> bool:
    """Let each table have a turn; return whether there was any."""
    after, some = 0, False
    while True:

        async def page(tx: Transaction, after: int = after) -> list[int]:
            rows = await tx.range(_WANTED.key(after) + b"\x00", _WANTED.end, limit=_TABLES)
            return [_WANTED.unpack(key)[0] for key, _ in rows]

        ids = await block.store.transact(page)
        for table_id in ids:
            if table_id not in works:
                some = True
                what = f"filling indexes of the table {table_id}"
                await works.attempt(table_id, what, partial(_fill, block, table_id))
        if len(ids) < _TABLES:
            return some
        after = ids[-1]


async def _fill(block: Block, table_id: int) -> None:
    """Put some more items of a table into its new index."""

    async def body(tx: Transaction) -> bool:
        return await step(block, tx, table_id)

    for _ in range(_STEPS):
        if not await table_keys.transact(block, body):
            return
        await asyncio.sleep(0)


async def step(block: Block, tx: Transaction, table_id: int) -> bool:
    """Put some more items of a table into its new index; return whether there is more to do."""
    place = _WANTED.key(table_id)
    done = await tx.get(place)
    table = await directory.by_id(tx, table_id)
    index = None if table is None else _unfinished(table)
    if table is None or index is None or done is None:
        tx.delete(place)
        return False
    tx = table_keys.unlock_for_block(block, tx, table)
    at = len(table.items_prefix)
    size = 0
    found, is_more = await rows.some(tx, table.items_prefix + done, table.items.end, _ROWS)
    for key, raw in found:
        if size > _BYTES:
            tx.put(place, key[at:])
            return True
        if isinstance(index, VectorIndex):
            size += await vectors.fill(tx, index, key[at:], raw)
        else:
            size += await indexes.fill(tx, index, key[at:], raw)
    if is_more:
        tx.put(place, found[-1][0][at:] + b"\x00")
        return True
    tx.delete(place)
    _activate(tx, table, index.record.number)
    return False


def _unfinished(table: Table) -> Index | VectorIndex | None:
    both: tuple[Index | VectorIndex, ...] = (*table.live_indexes, *table.vectors.values())
    return next((index for index in both if index.record.status == CREATING), None)


def _activate(tx: Transaction, table: Table, number: int) -> None:
    record = table.record
    changed = msgspec.structs.replace(
        record,
        indexes=tuple(_active(each) if each.number == number else each for each in record.indexes),
        vectors=tuple(_active(each) if each.number == number else each for each in record.vectors),
    )
    directory.store(tx, changed)


def _active(record: _Record) -> _Record:
    return msgspec.structs.replace(record, status=ACTIVE)
