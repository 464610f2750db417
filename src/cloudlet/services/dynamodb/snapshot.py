"""A table as it was at one moment, read some items at a time while it goes on being written to."""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.services.dynamodb import items, journal
from cloudlet.services.dynamodb.journal import Moment
from cloudlet.services.dynamodb.table import Table
from cloudlet.services.dynamodb.values import Item


class Page(NamedTuple):
    """Items with their keys below the table, in order, and the key behind which to go on; None at the end."""

    found: list[tuple[bytes, Item]]
    following: bytes | None


async def read(tx: Transaction, table: Table, moment: Moment, after: bytes, count: int) -> Page:
    """Return the items behind the key `after`, of up to `count` keys, as they were at a moment.

    Each key is looked at once: it is among the items of now, or the journal knows that there was one.
    """
    begin = table.items_prefix + after + b"\x00" if after else table.items.begin
    rows = await tx.range(begin, table.items.end, limit=count)
    start = len(table.items_prefix)
    present = {key[start:]: raw for key, raw in rows}
    journaled = await journal.keys_after(tx, table, after, count)
    # Keys beyond the last of a full list may lack those of the same list that were left off.
    ends = [max(keys) for keys in (present, journaled) if len(keys) == count]
    last = min(ends, default=None)
    keys = sorted(key for key in {*present, *journaled} if last is None or key <= last)
    found = []
    for key in keys:
        written, before = await journal.before(tx, table, key, moment)
        item = before if written else items.item_of(present[key]) if key in present else None
        if item is not None:
            found.append((key, item))
    return Page(found, last)
