"""Writing an item: the item itself, its rows in indexes, what is counted of it, and whoever must hear of it."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Transaction
from cloudlet.services.dynamodb import changes, errors
from cloudlet.services.dynamodb.item_data import indexes, item_collections, items, vectors
from cloudlet.services.dynamodb.item_data.indexes import Units
from cloudlet.services.dynamodb.item_data.key_checks import check_index_keys, check_item_key, check_updated_index_keys
from cloudlet.services.dynamodb.item_data.values import LARGEST_ITEM, Item
from cloudlet.services.dynamodb.requests import capacity
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.tables.table import Table

_NO_UNITS: Final[Units] = {}


class Written:
    """What a write has done. `units` are the write units of the table, `index_units` those of indexes by name."""

    __slots__ = ("index_units", "new", "old", "vector_bytes")

    def __init__(
        self, old: bytes | None, new: bytes | None, index_units: Units, vector_bytes: Units = _NO_UNITS
    ) -> None:
        self.old = old
        self.new = new
        self.index_units = index_units
        self.vector_bytes = vector_bytes
        """The bytes written to vector indexes, by name."""

    @property
    def units(self) -> float:
        old = 0 if self.old is None else items.size_of(self.old)
        return capacity.write_units(max(old, 0 if self.new is None else items.size_of(self.new)))

    @property
    def consumed(self) -> Consumed:
        """What it has consumed of the table and its indexes."""
        return Consumed(self.units, dict(self.index_units), dict(self.vector_bytes))


def _is_too_large(table: Table, item: Item, size: int) -> bool:
    """Whether an item of so many bytes is larger than one may be, together with its rows in local indexes."""
    if size > LARGEST_ITEM:
        return True
    # No row is larger than its item.
    most = size * (1 + len(table.local_indexes))
    return most > LARGEST_ITEM and item_collections.size(table, item, size) > LARGEST_ITEM


def _too_large(updated: bool) -> AwsError:
    if updated:
        return errors.update_too_large()
    return errors.item_too_large()


async def replace(
    tx: Transaction,
    table: Table,
    key: bytes,
    old: bytes | None,
    new: bytes | None,
    now: float,
    *,
    old_item: Item | None = None,
    new_item: Item | None = None,
    identity: str | None = None,
) -> Written:
    """Put `new` (stored, or None for nothing) in the place of `old`; what has been decoded of them may be given.

    `now` is in seconds since the epoch, `identity` the service that does it of its own accord.
    """
    place = table.items_prefix + key
    if new is not None:
        tx.put(place, new)
    elif old is not None:
        tx.delete(place)
    else:
        return Written(None, None, _NO_UNITS)
    count = (new is not None) - (old is not None)
    old_size = 0 if old is None else items.size_of(old)
    new_size = 0 if new is None else items.size_of(new)
    if count:
        tx.add(table.item_count, count)
    if new_size != old_size:
        tx.add(table.size_count, new_size - old_size)
    watched = table.is_watched
    if not table.live_indexes and not watched and not table.vectors:
        return Written(old, new, _NO_UNITS)
    if old is not None and old_item is None:
        old_item = items.item_of(old)
    if new is not None and new_item is None:
        new_item = items.item_of(new)
    units = _NO_UNITS
    if table.live_indexes:
        units = await indexes.update(tx, table, key, old_item, new_item, old, new)
        if table.local_indexes:
            await item_collections.update(tx, table, old_item, new_item, old_size, new_size)
    vector_bytes = _NO_UNITS
    if table.vectors:
        vector_bytes = await vectors.update(tx, table, key, old_item, new_item)
    if watched:
        await changes.record(tx, table, key, old, new, old_item, new_item, now, identity)
    return Written(old, new, units, vector_bytes)


async def put(tx: Transaction, table: Table, item: Item, now: float) -> Written:
    """Put a checked item. Raises AwsError where the table or an index does not admit it."""
    key = check_item_key(table, item)
    raw = admitted(table, item)
    old = await tx.get(table.items_prefix + key)
    return await replace(tx, table, key, old, raw, now, new_item=item)


def admitted(table: Table, item: Item, *, updated: bool = False) -> bytes:
    """Return the stored form of a checked item with a key that is right. Raises AwsError for what cannot be stored."""
    raw = items.stored(item)
    check(table, item, raw, updated=updated)
    return raw


def check(table: Table, item: Item, raw: bytes, *, updated: bool = False) -> None:
    """Raise AwsError unless a checked item with a key that is right, and its stored form, are admitted by a table."""
    if table.key_attribute_types:
        check_keys = check_updated_index_keys if updated else check_index_keys
        check_keys(table, item)
    if table.vectors:
        vectors.check(table, item)
    if _is_too_large(table, item, items.size_of(raw)):
        raise _too_large(updated)
