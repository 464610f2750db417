"""Changing the key of a table, and encrypting what was stored before it had one.

A change of keys encrypts the table key anew, and no contents. A table that gets its first key keeps its rows as they
are until a job has come to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.background.keyed_queues import drain
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.item_data.sealed_transaction import is_sealed
from cloudlet.services.dynamodb.requests import rows
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table_record import TableRecord

_TOPIC: Final = b"dynamodb-sealing"
_WANTED: Final = Subspace("sealing")
"""Number of a table → the key behind which contents may be unencrypted."""
_ROWS: Final = 64


async def change(ctx: Context, tx: Transaction, record: TableRecord, wanted: Mapping[str, Any]) -> TableRecord:
    """Return the record of a table with the key that UpdateTable names. Raises AwsError, and Prerequisite."""
    current = record.sealing
    sealing = table_keys.choose(ctx, wanted, record, current)
    if sealing == current or sealing is None:
        raise errors.invalid_values("Table is already encrypted by default")
    stream = record.features.stream
    label = stream.label if current is None and stream is not None else None
    await streams.set_sealing(tx, record.account, record.region, record.name, sealing, label)
    if current is None:
        sealing = msgspec.structs.replace(sealing, is_partial=True)
        tx.put(_WANTED.key(record.id), b"")
        tx.notify(_TOPIC)
    return msgspec.structs.replace(record, sealing=sealing)


async def seal_contents(block: Block) -> None:
    """Encrypt what tables had before they had a key, until the block ends."""
    await drain(block, _TOPIC, _list_wanted, partial(_seal, block))


async def _list_wanted(tx: Transaction, after: bytes | None, count: int) -> list[bytes]:
    begin = _WANTED.begin if after is None else after + b"\x00"
    return [key for key, _ in await tx.range(begin, _WANTED.end, limit=count)]


async def _seal(block: Block, place: bytes) -> None:
    async def body(tx: Transaction) -> int:
        return await _seal_some(block, tx, place)

    while await table_keys.transact(block, body):
        await asyncio.sleep(0)


async def _seal_some(block: Block, tx: Transaction, place: bytes) -> int:
    """Encrypt some rows of a table; return how many, 0 at the end."""
    done = await tx.get(place)
    table = await directory.by_id(tx, _WANTED.unpack(place)[0])
    if table is None or done is None or table.record.sealing is None:
        tx.delete(place)
        return 0
    sealed = table_keys.unlock_for_block(block, tx, table)
    for prefix in sorted(table.sealed_prefixes):
        # No element of a packed tuple begins with 0xff, but hashes of keys may.
        end = prefix + b"\xff\xff\xff"
        begin = max(prefix, done + b"\x00")
        if begin >= end:
            continue
        found, _ = await rows.some(tx, begin, end, _ROWS)
        for key, value in found:
            if not is_sealed(value):
                sealed.put(key, value)
        if found:
            tx.put(place, found[-1][0])
            return len(found)
    tx.delete(place)
    directory.store(
        tx,
        msgspec.structs.replace(table.record, sealing=msgspec.structs.replace(table.record.sealing, is_partial=False)),
    )
    return 0
