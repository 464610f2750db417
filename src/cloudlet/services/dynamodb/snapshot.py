"""A table as it was at one moment, read some items at a time while it goes on being written to.

First come the items that are there now, each as it was then; then those that the journal knows of, which covers what
was deleted meanwhile. An item may come twice, as the same both times.
"""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.services.dynamodb import items, journal
from cloudlet.services.dynamodb.journal import Moment
from cloudlet.services.dynamodb.table import Table
from cloudlet.services.dynamodb.values import Item


class Cursor(NamedTuple):
    """How far a reader has come: `after` is the key of the last item seen."""

    journaled: bool = False
    after: bytes = b""


class Page(NamedTuple):
    """Items with their keys below the table, and where to go on; None at the end."""

    found: list[tuple[bytes, Item]]
    following: Cursor | None


async def read(tx: Transaction, table: Table, moment: Moment, cursor: Cursor, count: int) -> Page:
    """Return the items of up to `count` keys, as they were at a moment."""
    if cursor.journaled:
        return await _journaled(tx, table, moment, cursor.after, count)
    begin = table.items_prefix + cursor.after + b"\x00" if cursor.after else table.items.begin
    rows = await tx.range(begin, table.items.end, limit=count)
    start = len(table.items_prefix)
    found = []
    for place, raw in rows:
        key = place[start:]
        written, before = await journal.before(tx, table, key, moment)
        item = before if written else items.item_of(raw)
        if item is not None:
            found.append((key, item))
    return Page(found, Cursor(False, rows[-1][0][start:]) if len(rows) == count else Cursor(True))


async def _journaled(tx: Transaction, table: Table, moment: Moment, after: bytes, count: int) -> Page:
    keys = await journal.keys_after(tx, table, after, count)
    found = []
    for key in keys:
        written, before = await journal.before(tx, table, key, moment)
        if written and before is not None:
            found.append((key, before))
    return Page(found, Cursor(True, keys[-1]) if len(keys) == count else None)
