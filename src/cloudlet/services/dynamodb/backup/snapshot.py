"""A table as it was at one moment, read some items at a time while it goes on being written to."""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.services.dynamodb.backup import journal
from cloudlet.services.dynamodb.backup.timeline import Version
from cloudlet.services.dynamodb.requests.rows import BYTES, some
from cloudlet.services.dynamodb.tables.table import Table


class Page(NamedTuple):
    """Keys below the table, in order, with the items as stored, and the key behind which to go on; None at the end."""

    found: list[tuple[bytes, bytes]]
    following: bytes | None


async def read(tx: Transaction, table: Table, moment: Version, after: bytes, count: int) -> Page:
    """Return the items behind the key `after`, of up to `count` keys, as they were at a moment.

    They are fewer where they are large. Each key is looked at once: it is among the items of now, or the journal knows
    that there was one.
    """
    begin = table.items_prefix + after + b"\x00" if after else table.items.begin
    rows, is_more = await some(tx, begin, table.items.end, count)
    start = len(table.items_prefix)
    present = {key[start:]: raw for key, raw in rows}
    journaled = await journal.keys_after(tx, table, after, count)
    # Keys beyond the last of a list that goes on may lack those of the same list that were left off.
    ends = [max(keys) for keys, goes_on in ((present, is_more), (journaled, len(journaled) == count)) if goes_on]
    last = min(ends, default=None)
    keys = sorted(key for key in {*present, *journaled} if last is None or key <= last)
    found: list[tuple[bytes, bytes]] = []
    size = 0
    for key in keys:
        if size >= BYTES:
            return Page(found, found[-1][0])
        written, before = await journal.before(tx, table, key, moment)
        stored = before if written else present.get(key)
        if stored is not None:
            found.append((key, stored))
            size += len(stored)
    return Page(found, last)
