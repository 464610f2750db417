"""FIFO topics: every message has its place in the topic's log, and a repeated one is not published again.

Developer guide, "Message ordering details for FIFO topics", "Message deduplication for FIFO topics". Subscriptions
read the log each at its own pace (`fifo_delivery`); a topic with an archive policy keeps it (`archive`).
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.sns import plan
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.message import Message, strip
from cloudlet.services.sns.topic_record import Topic

_DEDUPLICATION_MS = 300_000
_SWEPT = 4
_SEQUENCE_BASE, _SEQUENCE_STEP = 10_000_000_000_000_000_000, 1_000
"""SequenceNumbers are large and not consecutive (API reference, Publish)."""

_DUE = Subspace("fifo-due")
_ARCHIVES = Subspace("fifo-archive")
TOPIC = _DUE.prefix
"""What to watch for topics with something to deliver."""


class _Published(msgspec.Struct, frozen=True, array_like=True):
    """What was published first under a deduplication id."""

    id: str
    sequence: str
    expires: int


_encode = msgspec.msgpack.Encoder().encode
_decode_published = msgspec.msgpack.Decoder(_Published).decode
_decode_message = msgspec.msgpack.Decoder(Message).decode


async def publish(ctx: Context, topic: Topic, messages: list[Message]) -> list[Message]:
    """Append messages to a topic's log; return those that are there, which for a repeated one is the first."""
    now = int(ctx.now() * 1000)

    async def body(tx: Transaction) -> list[Message]:
        current = await topics.get(tx, topic.arn)
        return [await _append(tx, current, message, now) for message in messages]

    return await ctx.transact(body)


async def _append(tx: Transaction, topic: Topic, message: Message, now: int) -> Message:
    key = _deduplication_key(topic, message)
    raw = await tx.get(key)
    if raw is not None:
        earlier = _decode_published(raw)
        # What expires later than that was published before the clock was set back.
        if now < earlier.expires <= now + _DEDUPLICATION_MS:
            return replace(message, id=earlier.id, sequence=earlier.sequence)
    number = await _next_number(tx, topic)
    numbered = replace(message, sequence=str(_SEQUENCE_BASE + number * _SEQUENCE_STEP))
    await _remember(tx, topic, key, _Published(message.id, numbered.sequence or "", now + _DEDUPLICATION_MS), now)
    archived = "ArchivePolicy" in topic.attributes
    if archived:
        tx.put(_ARCHIVES.key(topic.arn), b"")
    if archived or (await plan.of_topic(tx, topic)).recipients:
        tx.put(_log_of(topic).key(number), _encode(strip(numbered)))
        wake(tx, topic)
    return numbered


async def _remember(tx: Transaction, topic: Topic, key: bytes, published: _Published, now: int) -> None:
    """Note what was published, and forget some of what was published more than five minutes ago."""
    expiries = topic.all.sub("deduplication-expiry")
    for expired, value in await tx.range(expiries.begin, expiries.key(now + 1), limit=_SWEPT):
        tx.delete(expired)
        raw = await tx.get(value)
        if raw is not None and _decode_published(raw).expires <= now:
            tx.delete(value)
    tx.put(key, _encode(published))
    tx.put(expiries.key(published.expires, published.sequence), key)


def _deduplication_key(topic: Topic, message: Message) -> bytes:
    scope = message.group if topic.attributes.get("FifoThroughputScope") == "MessageGroup" else None
    return topic.all.key("deduplication", scope, message.deduplication)


# -- the log


def _log_of(topic: Topic) -> Subspace:
    """Return where a topic's log is: number → message."""
    return topic.all.sub("log")


async def after(tx: Transaction, topic: Topic, place: int, last: int, count: int) -> list[tuple[int, Message]]:
    """Return the next messages of a log with their places: behind one place and up to another."""
    log = _log_of(topic)
    rows = await tx.range(log.key(place + 1), log.key(last + 1), limit=count)
    return [(log.unpack(key)[0], _decode_message(raw)) for key, raw in rows]


def forget(tx: Transaction, topic: Topic, place: int) -> None:
    """Delete the messages of a log up to a place."""
    log = _log_of(topic)
    tx.delete_range(log.begin, log.key(place + 1))


async def is_empty(tx: Transaction, topic: Topic) -> bool:
    """Whether nothing is in a topic's log."""
    log = _log_of(topic)
    return not await tx.range(log.begin, log.end, limit=1)


async def _next_number(tx: Transaction, topic: Topic) -> int:
    """Return the place of the next message. Who reads it excludes others who do: order is exact."""
    key = topic.all.key("log-numbers")
    tx.add(key, 1)
    return await tx.counter(key)


async def last_number(tx: Transaction, topic: Topic) -> int:
    """Return the place of the newest message, 0 where there was none."""
    return await tx.counter(topic.all.key("log-numbers"))


async def number_at(tx: Transaction, topic: Topic, moment: int) -> int:
    """Return the place of the first message in the log that was published at `moment` (ms) or later.

    For a moment after all of them that is the place of the next one.
    """
    log = _log_of(topic)
    rows = await tx.range(log.begin, log.end, limit=1)
    after = await last_number(tx, topic) + 1
    if not rows:
        return after
    low, high = log.unpack(rows[0][0])[0], after
    while low < high:
        middle = (low + high) // 2
        rows = await tx.range(log.key(middle), log.key(high), limit=1)
        if not rows or _decode_message(rows[0][1]).published >= moment:
            high = middle
        else:
            low = log.unpack(rows[0][0])[0] + 1
    return int(low)


# -- topics with something to do


def wake(tx: Transaction, topic: Topic) -> None:
    """Let the topic's subscriptions be looked after: there are messages for them, or a replay was asked for."""
    key = woken(topic.arn)
    tx.put(key, b"")
    tx.notify(key)
    tx.notify(TOPIC)


def woken(arn: str) -> bytes:
    """Return what to watch for something to deliver for the topic with an ARN."""
    return _DUE.key(arn)


def rest(tx: Transaction, arn: str) -> None:
    """Note that there is nothing to deliver for a topic."""
    tx.delete(woken(arn))


async def due(tx: Transaction, after: str, count: int) -> list[str]:
    """Return the ARNs of topics with something to deliver, from behind `after`."""
    rows = await tx.range(_DUE.key(after) + b"\x00", _DUE.end, limit=count)
    return [_DUE.unpack(key)[0] for key, _ in rows]


async def archives(tx: Transaction, after: str, count: int) -> list[str]:
    """Return the ARNs of topics with an archive, from behind `after`."""
    rows = await tx.range(_ARCHIVES.key(after) + b"\x00", _ARCHIVES.end, limit=count)
    return [_ARCHIVES.unpack(key)[0] for key, _ in rows]


def forget_archive(tx: Transaction, arn: str) -> None:
    """Note that a topic has no archive."""
    tx.delete(_ARCHIVES.key(arn))
