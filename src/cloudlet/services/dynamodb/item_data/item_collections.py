"""Item collections: the items of one partition key with their rows in local indexes, which share 10 GB.

Developer Guide, "Item collections in local secondary indexes".
"""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError, Transaction
from cloudlet.services.dynamodb.item_data.key_checks import fits_index
from cloudlet.services.dynamodb.item_data.keys import partition
from cloudlet.services.dynamodb.item_data.values import Item, item_size
from cloudlet.services.dynamodb.tables.table import Table

_GIGABYTE = 1 << 30
LARGEST = 10 * _GIGABYTE


def _place(table: Table, item: Item) -> bytes:
    return table.all.sub("collection").prefix + partition(table.keys.hash_bytes(item))


def size(table: Table, item: Item, own: int) -> int:
    """Return what an item takes of its collection: its `own` bytes, and those of its rows in local indexes."""
    rows = [
        own if index.attributes is None else item_size(index.projected(item))
        for index in table.local_indexes
        if fits_index(index, item)
    ]
    return own + sum(rows)


async def update(
    tx: Transaction, table: Table, old: Item | None, new: Item | None, old_size: int, new_size: int
) -> None:
    """Account for a change of an item from one size to another.

    Raises AwsError where the collection grows beyond its limit.
    """
    some = new if new is not None else old
    if some is None:
        return
    place = _place(table, some)
    before = 0 if old is None else size(table, old, old_size)
    growth = (0 if new is None else size(table, new, new_size)) - before
    if not growth:
        return
    tx.add(place, growth)
    if growth < 0 and new is None and await tx.counter(place) <= 0:
        tx.delete(place)
    elif growth > 0 and await tx.counter(place) > LARGEST:
        raise AwsError(
            "ItemCollectionSizeLimitExceededException",
            "Collection size exceeded. A table with local secondary indexes can have 10 GB per partition key.",
        )


async def metrics(tx: Transaction, table: Table, item: Item, asked: str | None) -> dict[str, Any] | None:
    """Return ItemCollectionMetrics of the collection that an item (or its key) belongs to, if SIZE was asked for."""
    if asked != "SIZE" or not table.local_indexes:
        return None
    low = float(await tx.counter(_place(table, item)) // _GIGABYTE)
    return {
        "ItemCollectionKey": {table.record.hash: item[table.record.hash]},
        "SizeEstimateRangeGB": [low, low + 1],
    }
