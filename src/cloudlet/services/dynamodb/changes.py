"""What else happens when an item is written: the stream, the index of expiry times, the journal of former states.

Each write of an item calls `record` where the table's features say that it is watched.
"""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.dynamodb import journal, streams, ttl
from cloudlet.services.dynamodb.table import Table
from cloudlet.services.dynamodb.values import Item, equal

TIME_TO_LIVE = "dynamodb.amazonaws.com"
"""Who has deleted what has expired (Developer Guide, "DynamoDB Streams and Time to Live")."""


async def record(
    tx: Transaction,
    table: Table,
    key: bytes,
    old: Item | None,
    new: Item | None,
    now: float,
    identity: str | None = None,
) -> None:
    """Take note of a write at `now`: the item at `key` was `old` and is `new`, None where there is none.

    A write that changes nothing leaves no trace, as in AWS's streams.
    """
    if old is None and new is None:
        return
    if old is not None and new is not None and _same(old, new):
        return
    features = table.record.features
    if features.ttl is not None:
        ttl.index(tx, table, key, old, new, now)
    if features.journals:
        await journal.note(tx, table, key, old, now)
    if features.stream is not None and features.stream.enabled:
        keys = table.keys.chosen(old if new is None else new)  # type: ignore[arg-type]
        await streams.write(tx, features.stream, key, keys, old, new, now=now, identity=identity)


def _same(old: Item, new: Item) -> bool:
    if old == new:
        return True
    return old.keys() == new.keys() and all(equal(value, new[name]) for name, value in old.items())
