"""Events on their way to where trails deliver: on disk from when CloudTrail takes them until they are there.

A lane has the events that go from one region over one channel for a trail.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.cloudtrail.event import Event

Channel = Literal["s3", "logs"]

_WAITING = Subspace("outbox")
"""Channel, ARN of a trail, region, time in seconds, event id → the text of a record."""
PAGE = 100


class Lane(NamedTuple):
    of: str
    """The ARN of a trail."""
    region: str


class Waiting(NamedTuple):
    """An event that waits."""

    key: bytes
    time: int
    """In seconds since the epoch."""
    text: str


def add(tx: Transaction, channel: Channel, of: str, event: Event) -> None:
    """Have an event delivered."""
    tx.put(_WAITING.key(channel, of, event.region, event.time, event.id), event.in_file.encode())


async def lane_after(tx: Transaction, channel: Channel, lane: Lane | None) -> Lane | None:
    """Return the next lane of a channel in which something waits."""
    space = _WAITING.sub(channel)
    begin = space.begin if lane is None else space.sub(*lane).end
    rows = await tx.range(begin, space.end, limit=1)
    return Lane(*space.unpack(rows[0][0])[:2]) if rows else None


async def first(tx: Transaction, channel: Channel, lane: Lane, after: bytes | None = None) -> list[Waiting]:
    """Return a page of the events of a lane, the oldest first, after the key of another one."""
    space = _WAITING.sub(channel, *lane)
    begin = space.begin if after is None else after + b"\0"
    rows = await tx.range(begin, space.end, limit=PAGE)
    return [Waiting(key, space.unpack(key)[0], text.decode()) for key, text in rows]


def remove(tx: Transaction, events: list[Waiting]) -> None:
    """Take events out: they are delivered, or given up."""
    for each in events:
        tx.delete(each.key)


def clear(tx: Transaction, arn: str) -> None:
    """Give up all that waits for a trail."""
    for channel in ("s3", "logs"):
        space = _WAITING.sub(channel, arn)
        tx.delete_range(space.begin, space.end)
