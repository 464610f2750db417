"""Events on their way into the files of trails: on disk from when CloudTrail takes them until a file with them is.

A lane has the events of one trail and one region.
"""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.cloudtrail.event import Event
from cloudlet.services.cloudtrail.trail import Trail

_WAITING = Subspace("trail-event")
"""ARN of a trail, region, time in seconds, event id → the text of a record."""
PAGE = 100


class Lane(NamedTuple):
    arn: str
    """The trail's."""
    region: str


class Waiting(NamedTuple):
    """An event that waits."""

    key: bytes
    time: int
    """In seconds since the epoch."""
    text: str


def add(tx: Transaction, trail: Trail, event: Event) -> None:
    """Have an event delivered to a trail."""
    tx.put(_WAITING.key(trail.arn, event.region, event.time, event.id), event.in_file.encode())


async def lane_after(tx: Transaction, lane: Lane | None) -> Lane | None:
    """Return the next lane in which something waits."""
    begin = _WAITING.begin if lane is None else _WAITING.sub(*lane).end
    rows = await tx.range(begin, _WAITING.end, limit=1)
    return Lane(*_WAITING.unpack(rows[0][0])[:2]) if rows else None


async def first(tx: Transaction, lane: Lane, after: bytes | None) -> list[Waiting]:
    """Return a page of the events of a lane, the oldest first, after the key of another one."""
    space = _WAITING.sub(*lane)
    begin = space.begin if after is None else after + b"\0"
    rows = await tx.range(begin, space.end, limit=PAGE)
    return [Waiting(key, space.unpack(key)[0], text.decode()) for key, text in rows]


def remove(tx: Transaction, events: list[Waiting]) -> None:
    """Take events out: they are delivered, or given up."""
    for each in events:
        tx.delete(each.key)


def clear(tx: Transaction, arn: str) -> None:
    """Give up all that waits for a trail."""
    space = _WAITING.sub(arn)
    tx.delete_range(space.begin, space.end)
