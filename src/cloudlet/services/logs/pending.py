"""Rows of events that may mean metrics, and have still to be looked at: written down with the events."""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.keyed_queues import list_queues
from cloudlet.services.logs import events
from cloudlet.services.logs.events import Place
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.row_record import StoredRow
from cloudlet.store import pack, unpack

_ROWS = Subspace("pending")
TOPIC = _ROWS.prefix
"""Notified for each new one."""
_MOST_BYTES = 4 * 1_048_576
"""Of rows that are read at once."""


class Pending(NamedTuple):
    """A row of events, of which group."""

    group: int
    place: Place
    account: str
    region: str
    name: str


def add(tx: Transaction, group: Group, place: Place) -> None:
    """Have a row looked at."""
    tx.put(_ROWS.key(group.id, *place), pack((group.account, group.region, group.name)))
    tx.notify(TOPIC)


async def groups(tx: Transaction, after: int | None, count: int) -> list[int]:
    """Return the numbers of so many groups in which something waits, those that follow another one."""
    found = await list_queues(tx, _ROWS, 1, None if after is None else (after,), count)
    return [number for (number,) in found]


async def account_of(tx: Transaction, group: int) -> str | None:
    """Return the account of a group in which something waits."""
    space = _ROWS.sub(group)
    rows = await tx.range(space.begin, space.end, limit=1)
    return unpack(rows[0][1])[0] if rows else None


async def first(tx: Transaction, group: int, count: int) -> list[tuple[Pending, StoredRow | None]]:
    """Return so many rows of a group that wait, or some MB of them, with their events, unless these are gone."""
    found: list[tuple[Pending, StoredRow | None]] = []
    size = 0
    space = _ROWS.sub(group)
    for key, value in await tx.range(space.begin, space.end, limit=count):
        one = Pending(group, Place(*space.unpack(key)), *unpack(value))
        row = await events.of_place(tx, group, one.place)
        found.append((one, row))
        size += 0 if row is None else row.size
        if size > _MOST_BYTES:
            break
    return found


def remove_all(tx: Transaction, group: int) -> None:
    """Forget what waits of a group that is removed: its events are gone."""
    space = _ROWS.sub(group)
    tx.delete_range(space.begin, space.end)


def remove(tx: Transaction, done: Pending) -> None:
    """Note that a row has been looked at."""
    tx.delete(_ROWS.key(done.group, *done.place))
