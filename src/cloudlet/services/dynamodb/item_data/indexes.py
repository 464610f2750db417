"""Keeping the rows of secondary indexes in line with the items of their table."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.item_data.key_checks import fits_index
from cloudlet.services.dynamodb.item_data.keys import behind_index_key
from cloudlet.services.dynamodb.item_data.values import Item
from cloudlet.services.dynamodb.tables.table import Index, Table
from cloudlet.services.dynamodb.tables.table_record import CREATING

_UNIT = 1024
_LARGE = 4096
"""Bytes of a stored item from which on attributes are encoded once for all rows that show them."""

Units = dict[str, int]
"""Write capacity units by index."""


class _Rows:
    """What indexes show of one item."""

    __slots__ = ("_item", "_parts", "_raw")

    def __init__(self, item: Item, raw: bytes) -> None:
        """`raw` is what is stored of the item."""
        self._item = item
        self._raw = raw
        self._parts: dict[str, bytes] = {}
        """By their names, what is stored of items that have one of its attributes each."""

    def row(self, index: Index) -> bytes:
        """Return the row of the item, as it is stored."""
        if index.attributes is None:
            return self._raw
        if len(self._raw) < _LARGE:
            return items.stored(index.projected(self._item))
        return items.joined([self._part(name) for name in self._item if name in index.attributes])

    def _part(self, name: str) -> bytes:
        part = self._parts.get(name)
        if part is None:
            part = self._parts[name] = items.stored({name: self._item[name]})
        return part


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
    old_rows = None if old is None or old_raw is None else _Rows(old, old_raw)
    new_rows = None if new is None or new_raw is None else _Rows(new, new_raw)
    for index in table.live_indexes:
        old_key = None if old is None or not fits_index(index, old) else row_key(index, old, key)
        new_key = None if new is None or not fits_index(index, new) else row_key(index, new, key)
        if old_key is None and new_key is None:
            continue
        if old_key is not None and index.record.status == CREATING and await tx.get(old_key) is None:
            # The index is being filled, and has not come to this item yet.
            old_key = None
        old_row = b"" if old_key is None or old_rows is None else old_rows.row(index)
        new_row = b"" if new_key is None or new_rows is None else new_rows.row(index)
        consumed = _update(tx, index, old_key, old_row, new_key, new_row)
        if consumed:
            units[index.name] = consumed
    return units


def _update(
    tx: Transaction, index: Index, old_key: bytes | None, old_row: bytes, new_key: bytes | None, new_row: bytes
) -> int:
    """Put a row in the place of another one; None is the key of none. Return the units that it consumes."""
    old_size, new_size = items.size_of(old_row), items.size_of(new_row)
    if new_key is None:
        if old_key is not None:
            tx.delete(old_key)
            _count(tx, index, -1, -old_size)
        return -(-old_size // _UNIT)
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


async def fill(tx: Transaction, index: Index, key: bytes, raw: bytes) -> int:
    """Write the row of an item that was there before the index, if it is to have one; return its size."""
    item = items.item_of(raw)
    if not fits_index(index, item):
        return 0
    at = row_key(index, item, key)
    row = _Rows(item, raw).row(index)
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
