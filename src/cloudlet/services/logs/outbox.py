"""Rows of events that subscription filters have still to look at: written down with the events, for each filter."""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.keyed_queues import list_queues
from cloudlet.services.logs import events
from cloudlet.services.logs.events import Place
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.row_record import StoredRow
from cloudlet.store import pack, unpack

_ROWS = Subspace("outbox")
TOPIC = _ROWS.prefix
"""Notified for each new one."""
_MOST_BYTES = 4 * 1_048_576
"""Of rows that are read at once."""


class Waiting(NamedTuple):
    """A row of events that waits."""

    key: bytes
    ingested: int
    """In milliseconds since the epoch."""
    group: int
    place: Place
    group_name: str


def add(tx: Transaction, subscription: int, group: Group, place: Place, now: int) -> None:
    """Have a filter look at a row that came at a time, in milliseconds since the epoch."""
    tx.put(_ROWS.key(subscription, now, group.id, *place), pack((group.name,)))
    tx.notify(TOPIC)


async def subscriptions(tx: Transaction, after: int | None, count: int) -> list[int]:
    """Return the numbers of so many filters for which something waits, those that follow another one."""
    found = await list_queues(tx, _ROWS, 1, None if after is None else (after,), count)
    return [number for (number,) in found]


async def first(tx: Transaction, subscription: int, count: int) -> list[tuple[Waiting, StoredRow | None]]:
    """Return what has waited the longest, with the events, unless they are gone."""
    found: list[tuple[Waiting, StoredRow | None]] = []
    size = 0
    space = _ROWS.sub(subscription)
    for key, value in await tx.range(space.begin, space.end, limit=count):
        ingested, group, *place = space.unpack(key)
        waiting = Waiting(key, ingested, group, Place(*place), unpack(value)[0])
        row = await events.of_place(tx, group, waiting.place)
        found.append((waiting, row))
        size += 0 if row is None else row.size
        if size > _MOST_BYTES:
            break
    return found


def remove(tx: Transaction, done: Waiting) -> None:
    """Note that a row has been looked at."""
    tx.delete(done.key)


def remove_all(tx: Transaction, subscription: int) -> None:
    """Forget what waits for a filter."""
    space = _ROWS.sub(subscription)
    tx.delete_range(space.begin, space.end)
