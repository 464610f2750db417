"""What else happens when an item is written: the stream, the index of expiry times, the journal of former states.

Each write of an item calls `record` where the table's features say that it is watched.
"""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.dynamodb.backup import journal
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.item_data.values import Item, equal
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.streaming.streams import Image
from cloudlet.services.dynamodb.tables import ttl
from cloudlet.services.dynamodb.tables.table import Table

TIME_TO_LIVE = "dynamodb.amazonaws.com"
"""Who has deleted what has expired (Developer Guide, "DynamoDB Streams and Time to Live")."""


async def record(
    tx: Transaction,
    table: Table,
    key: bytes,
    old: bytes | None,
    new: bytes | None,
    old_item: Item | None,
    new_item: Item | None,
    now: float,
    identity: str | None = None,
) -> None:
    """Take note of a write at `now`: the item at `key` was `old` and is `new`, None where there is none.

    Both are given as stored and decoded. A write that changes nothing leaves no trace, as in AWS's streams.
    """
    if old == new or (old_item is not None and new_item is not None and _same(old_item, new_item)):
        return
    features = table.features
    if features.ttl is not None:
        ttl.index(tx, table, key, old_item, new_item, now)
    if features.journals:
        await journal.note(tx, table, key, old, now)
    if features.stream is not None and features.stream.enabled:
        keys = table.keys.chosen(new_item or old_item or {})
        region = table.record.region
        await streams.write(
            tx, features.stream, region, key, keys, _image(old), _image(new), now=now, identity=identity
        )


def _image(stored: bytes | None) -> Image | None:
    return None if stored is None else Image(items.json_of(stored), items.size_of(stored))


def _same(old: Item, new: Item) -> bool:
    return old.keys() == new.keys() and all(equal(value, new[name]) for name, value in old.items())
