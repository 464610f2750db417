"""In which order rows of events came, for a while and only for groups that somebody tails."""

from __future__ import annotations

from typing import Final, NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.logs.events import Place
from cloudlet.services.logs.group_record import Group

_ARRIVED: Final = Subspace("arrived")
KEPT_MILLIS: Final = 60_000


class Arrival(NamedTuple):
    """A row that came at a time, in milliseconds since the epoch."""

    ingested: int
    place: Place


def topic(group: int) -> bytes:
    """Return what is notified when something comes."""
    return _ARRIVED.key(group)


def note(tx: Transaction, group: Group, place: Place, now: int) -> None:
    """Note that a row came, if somebody may want to know."""
    if group.tailed_until > now:
        tx.put(_ARRIVED.key(group.id, now, *place), b"")
        tx.notify(topic(group.id))


async def since(tx: Transaction, group: int, when: int, after: bytes, count: int) -> list[tuple[bytes, Arrival]]:
    """Return what came from a time on, each with its key, after a key."""
    space = _ARRIVED.sub(group)
    rows = await tx.range(max(space.key(when), after and after + b"\x00"), space.end, limit=count)
    found = []
    for key, _ in rows:
        ingested, *place = space.unpack(key)
        found.append((key, Arrival(ingested, Place(*place))))
    return found


def forget(tx: Transaction, group: int, before: int) -> None:
    """Forget what came before a time (ms)."""
    space = _ARRIVED.sub(group)
    tx.delete_range(space.begin, space.key(before))


def forget_all(tx: Transaction, group: int) -> None:
    space = _ARRIVED.sub(group)
    tx.delete_range(space.begin, space.end)
