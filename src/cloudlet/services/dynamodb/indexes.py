"""Keeping the rows of secondary indexes in line with the items of their table."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.dynamodb import items
from cloudlet.services.dynamodb.key_checks import fits_index
from cloudlet.services.dynamodb.keys import behind_index_key
from cloudlet.services.dynamodb.table import Index, Table
from cloudlet.services.dynamodb.table_record import CREATING
from cloudlet.services.dynamodb.values import Item

_UNIT = 1024

Units = dict[str, int]
"""Write capacity units by index."""


def row_key(index: Index, item: Item, key: bytes) -> bytes:
    """Return the key of an item's row in an index; `key` is that of the item below its table."""
    return index.rows.prefix + index.keys.key(item) + behind_index_key(key)


async def update(
    tx: Transaction,
    table: Table,
    key: bytes,
    old: Item | None,
    new: Item | None,
    old_raw: bytes | None,
    new_raw: bytes | None,
) -> Units:
    """Bring all indexes in line with a change of an item; return what that consumes of those that it concerns.

    `old_raw` and `new_raw` are the stored forms of `old` and `new`.
    Developer Guide, "Managing throughput capacity for secondary indexes".
    """
    units: Units = {}
    for index in table.live_indexes:
        before = None if old is None or not fits_index(index, old) else old
        after = None if new is None or not fits_index(index, new) else new
        if before is None and after is None:
            continue
        old_key = None if before is None else row_key(index, before, key)
        if old_key is not None and index.record.status == CREATING and await tx.get(old_key) is None:
            # The index is being filled, and has not come to this item yet.
            before = old_key = None
        old_row = b"" if before is None else _row(index, before, old_raw)
        consumed = _update(tx, index, key, old_row, old_key, after, new_raw)
        if consumed:
            units[index.name] = consumed
    return units


def _update(
    tx: Transaction,
    index: Index,
    key: bytes,
    old_row: bytes,
    old_key: bytes | None,
    new: Item | None,
    new_raw: bytes | None,
) -> int:
    old_size = items.size_of(old_row)
    if new is None:
        if old_key is not None:
            tx.delete(old_key)
            _count(tx, index, -1, -old_size)
        return -(-old_size // _UNIT)
    new_key = row_key(index, new, key)
    new_row = _row(index, new, new_raw)
    new_size = items.size_of(new_row)
    if new_key == old_key:
        if new_row == old_row:
            return 0
        tx.put(new_key, new_row)
        _count(tx, index, 0, new_size - old_size)
        return -(-max(new_size, old_size) // _UNIT)
    if old_key is not None:
        tx.delete(old_key)
    tx.put(new_key, new_row)
    _count(tx, index, 1 if old_key is None else 0, new_size - old_size)
    return -(-new_size // _UNIT) + -(-old_size // _UNIT)


def _row(index: Index, item: Item, raw: bytes | None) -> bytes:
    """Return an item's row: what is stored of it, where the index has all of it."""
    return raw if index.attributes is None and raw is not None else items.stored(index.projected(item))


async def fill(tx: Transaction, index: Index, key: bytes, raw: bytes) -> int:
    """Write the row of an item that was there before the index, if it is to have one; return its size."""
    item = items.item_of(raw)
    if not fits_index(index, item):
        return 0
    at = row_key(index, item, key)
    row = _row(index, item, raw)
    if await tx.get(at) is None:
        # One that is there already was written by a change of the item meanwhile, and is the same.
        tx.put(at, row)
        _count(tx, index, 1, items.size_of(row))
    return items.size_of(row)


def _count(tx: Transaction, index: Index, rows: int, size: int) -> None:
    if rows:
        tx.add(index.row_count, rows)
    if size:
        tx.add(index.size_count, size)
