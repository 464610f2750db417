"""Rows of events that may mean metrics, and have still to be looked at: written down with the events."""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.logs.events import Place
from cloudlet.services.logs.group_record import Group
from cloudlet.store import pack, unpack

_ROWS = Subspace("pending")
TOPIC = _ROWS.prefix
"""Notified for each new one."""


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


async def first(tx: Transaction, after: int, count: int) -> list[Pending]:
    """Return some rows, of the groups whose numbers come after a number."""
    found = []
    for key, value in await tx.range(_ROWS.key(after + 1), _ROWS.end, limit=count):
        group, *place = _ROWS.unpack(key)
        found.append(Pending(group, Place(*place), *unpack(value)))
    return found


def remove(tx: Transaction, done: Pending) -> None:
    """Note that a row has been looked at."""
    tx.delete(_ROWS.key(done.group, *done.place))
