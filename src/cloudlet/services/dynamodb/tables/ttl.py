"""Time to live: which items expire when.

An index of each table that has a time to live leads from the second of expiry to the item's key, so that expired items
are found without looking at others. Developer Guide, "Using time to live (TTL) in DynamoDB".
"""

from __future__ import annotations

from decimal import Decimal

from cloudlet.core import Subspace, Transaction
from cloudlet.services.dynamodb.item_data.values import Item
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.store import pack

TOPIC = b"ttl"
"""Notified when a table gets a time to live."""

_TABLES = Subspace("ttl-table")
"""Table id → the key of the last item indexed, while those that were there before are being indexed, or empty."""
_OLDEST = 5 * 365 * 86400
"""An item whose time is longer past than this, in seconds, does not expire."""
_LATEST = 1 << 40


def _space(table: Table) -> Subspace:
    return table.all.sub("ttl")


def expiry(item: Item | None, attribute: str) -> int | None:
    """Return the second at which an item expires, or None for one that does not."""
    value = None if item is None else item.get(attribute)
    text = None if value is None else value.get("N")
    if text is None:
        return None
    number = Decimal(text)
    return int(number) if 0 <= number < _LATEST else None


def index(tx: Transaction, table: Table, key: bytes, old: Item | None, new: Item | None, now: float) -> None:
    """Keep the index in line with a write at `now`."""
    attribute = table.features.ttl
    if attribute is None:
        return
    before, after = expiry(old, attribute), expiry(new, attribute)
    if before == after:
        return
    if before is not None:
        tx.delete(_space(table).key(before, key))
    if after is not None and after > now - _OLDEST:
        tx.put(_space(table).key(after, key), b"")


# -- enabling and disabling


def enable(tx: Transaction, table: Table) -> None:
    """Let the items that are there be indexed."""
    tx.put(_TABLES.key(table.id), b"")
    tx.notify(TOPIC)


def disable(tx: Transaction, table: Table) -> None:
    """Forget when items expire."""
    forget(tx, table.id)
    space = _space(table)
    tx.delete_range(space.begin, space.end)


def forget(tx: Transaction, table_id: int) -> None:
    """Have no more to do with a table."""
    tx.delete(_TABLES.key(table_id))


# -- expiring

_INDEXED = pack((True,))
"""Instead of a key: all items are indexed."""


async def tables(tx: Transaction, after: int, count: int) -> list[int]:
    """Return up to `count` ids of the tables that have a time to live, behind the id `after`."""
    rows = await tx.range(_TABLES.key(after) + b"\x00", _TABLES.end, limit=count)
    return [_TABLES.unpack(key)[0] for key, _ in rows]


async def unindexed(tx: Transaction, table_id: int) -> bytes | None:
    """Return the key behind which items are not indexed yet, or None where all are."""
    raw = await tx.get(_TABLES.key(table_id))
    return None if raw is None or raw == _INDEXED else raw[1:]


def note_indexed(tx: Transaction, table_id: int, key: bytes | None) -> None:
    """Write down that items up to `key` are indexed, or all (None)."""
    tx.put(_TABLES.key(table_id), _INDEXED if key is None else b"\x00" + key)


async def due(tx: Transaction, table: Table, now: float, count: int) -> list[tuple[int, bytes]]:
    """Return up to `count` expired items: the second of expiry and the key."""
    space = _space(table)
    rows = await tx.range(space.begin, space.key(int(now) + 1), limit=count)
    found: list[tuple[int, bytes]] = [space.unpack(key) for key, _ in rows]
    return found


def drop(tx: Transaction, table: Table, second: int, key: bytes) -> None:
    """Remove an entry of the index."""
    tx.delete(_space(table).key(second, key))
