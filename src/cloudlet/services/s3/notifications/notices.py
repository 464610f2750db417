"""The outbox of event notifications: what is on disk together with the change that it tells of, and not yet told.

Each destination of each bucket has a lane of its own, in which notices wait in the order of the events.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.background.keyed_queues import list_queues
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import notification
from cloudlet.services.s3.notifications.event_messages import Event
from cloudlet.services.s3.notifications.notification import Channel
from cloudlet.services.s3.object_data.objects import Version

TOPIC = b"notices"

_NOTICES = Subspace("notice")


class Lane(NamedTuple):
    """What a bucket has to tell one destination."""

    channel: Channel
    arn: str
    """The destination."""
    source: str
    """The bucket's ARN."""
    account: str
    """The bucket's owner, on whose behalf S3 calls."""
    region: str


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """Something to tell. `noted` is in seconds since the epoch."""

    noted: float
    body: str
    """S3's message, or the entry for EventBridge, in JSON."""
    trace: str | None = None
    """The trace header of the request behind the event."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Notice).decode
_text = msgspec.json.encode
_last_sequence = 0


def _sequence(now: float) -> int:
    """Return a number that is higher than that of every earlier event."""
    global _last_sequence
    _last_sequence = max(_last_sequence + 1, int(now * 1_000_000))
    return _last_sequence


async def add(
    block: Block, tx: Transaction, bucket: Bucket, name: str, key: str, version: Version, ctx: Context | None
) -> None:
    """Put an event into the lanes of all who are to be told of it."""
    wanted = [each for each in await notification.of_bucket(tx, bucket) if each.wants(name, key)]
    if not wanted:
        return
    now = block.clock.now()
    event = Event(bucket, name, key, version, now, _sequence(now), ctx)
    for destination in wanted:
        told = event.entry() if destination.channel == "events" else {"Records": [event.record(destination.id)]}
        if told is None:
            continue
        lane = Lane(destination.channel, destination.arn, bucket.arn, bucket.account, bucket.region)
        # Two configurations may have the same destination: the id keeps what they tell apart. Other processes count as
        # this one does, and a clock may stand while it is started again: what is random keeps their events apart.
        row = _NOTICES.sub(*lane).key(event.sequence, destination.id, random_bytes(8))
        tx.put(row, _encode(Notice(now, _text(told).decode(), None if ctx is None else ctx.trace)))
        tx.notify(TOPIC)


async def lanes(tx: Transaction, after: Lane | None, limit: int) -> list[Lane]:
    """Return up to `limit` lanes in which something waits, those that follow another one."""
    return [Lane(*each) for each in await list_queues(tx, _NOTICES, 5, after, limit)]


async def first(tx: Transaction, lane: Lane, count: int) -> list[tuple[bytes, Notice]]:
    """Return the oldest notices of a lane, each with its key."""
    space = _NOTICES.sub(*lane)
    return [(key, _decode(raw)) for key, raw in await tx.range(space.begin, space.end, limit=count)]


def remove(tx: Transaction, key: bytes) -> None:
    """Take a notice out: it was told, or is given up."""
    tx.delete(key)
