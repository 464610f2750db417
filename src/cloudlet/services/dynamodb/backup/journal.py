"""The journal of a table: the former states of its items, for backups, exports and point-in-time recovery.

For each write it keeps what the item was before, so that the state of an item at an earlier moment is what the first
entry after that moment says, and where there is none what the item is now. So a copy of a table as it was at one moment
can be made while the table goes on being written to, some items at a time.

Entries are under the item's key, the epoch (see `timeline`) and the time of the write (microseconds).
"""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.dynamodb.backup import timeline
from cloudlet.services.dynamodb.backup.timeline import Version
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.item_data.values import Item
from cloudlet.services.dynamodb.tables.table import Table

_ABSENT = b""
"""Instead of a stored item: there was none."""


def _stored(entry: bytes) -> bytes | None:
    return None if entry == _ABSENT else entry


def _item(stored: bytes | None) -> Item | None:
    return None if stored is None else items.item_of(stored)


def _entries(table: Table) -> Subspace:
    return table.all.sub("journal")


def _after(table: Table, key: bytes, moment: Version) -> bytes:
    """Return where the entries of an item begin that tell of writes after a moment."""
    entries = _entries(table)
    return entries.key(key, moment.epoch) if moment.micros is None else entries.key(key, *moment) + b"\x00"


async def note(tx: Transaction, table: Table, key: bytes, old: bytes | None, now: float) -> None:
    """Keep what an item was, as stored, before a write at `now`. Of several in a microsecond the first counts."""
    entry = _entries(table).key(key, await timeline.epoch(tx, table, now), timeline.micros(now))
    if await tx.get(entry) is None:
        tx.put(entry, _ABSENT if old is None else old)


async def before(tx: Transaction, table: Table, key: bytes, moment: Version) -> tuple[bool, bytes | None]:
    """Return whether an item was written to after a moment, and what it was at it if so, as stored (None: nothing)."""
    rows = await tx.range(_after(table, key, moment), _entries(table).key(key) + b"\xff", limit=1)
    return (True, _stored(rows[0][1])) if rows else (False, None)


class Changed(NamedTuple):
    """What a time has done to an item: from what to what, and when it was last written to (microseconds)."""

    old: Item | None
    new: Item | None
    micros: int


async def changed(
    tx: Transaction, table: Table, key: bytes, since: Version, until: Version, now: bytes | None
) -> Changed | None:
    """Return what has become of an item from one moment to another, None where it was not written to.

    `now` is what the item is now, as stored; None for nothing.
    """
    begin, end = _after(table, key, since), _after(table, key, until)
    first = await tx.range(begin, end, limit=1)
    if not first:
        return None
    last = await tx.range(begin, end, limit=1, reverse=True)
    written, later = await before(tx, table, key, until)
    at: int = _entries(table).unpack(last[0][0])[2]
    return Changed(_item(_stored(first[0][1])), _item(later if written else now), at)


async def keys_after(tx: Transaction, table: Table, after: bytes, count: int) -> list[bytes]:
    """Return up to `count` keys of items that have entries, behind the key `after`, in order."""
    entries = _entries(table)
    found: list[bytes] = []
    begin = entries.key(after) + b"\xff" if after else entries.begin
    while len(found) < count:
        rows = await tx.range(begin, entries.end, limit=1)
        if not rows:
            break
        key = entries.unpack(rows[0][0])[0]
        found.append(key)
        begin = entries.key(key) + b"\xff"
    return found


def clear(tx: Transaction, table: Table) -> None:
    """Forget all former states."""
    entries = _entries(table)
    tx.delete_range(entries.begin, entries.end)
    timeline.clear(tx, table)


async def trim(tx: Transaction, table: Table, after: bytes, until: float, count: int) -> bytes | None:
    """Forget states that ended before a time (seconds), of up to `count` entries behind `after` (a row's key).

    Returns the key of the last row that was looked at, or None where there are no more.
    """
    entries = _entries(table)
    rows = await tx.range(max(after + b"\x00", entries.begin), entries.end, limit=count)
    old = [key for key, _ in rows if entries.unpack(key)[2] < until * 1_000_000]
    for key in old:
        tx.delete(key)
    if old:
        await timeline.forget(tx, table, until)
    return rows[-1][0] if len(rows) == count else None
