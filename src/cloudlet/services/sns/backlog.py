"""The backlog: deliveries of one message to one subscription that are due now or later, a lane for each subscription.

A lane is listed in the schedule under the time at which the first of its deliveries is due; there is a schedule of
their own for lanes that fail, so that those do not take the places of others. A message is kept once for all of its
deliveries, with a count of them. All but the schedules goes away with the topic.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.sns.message import Message, strip
from cloudlet.services.sns.topic_record import Topic
from cloudlet.store import pack, unpack

_SCHEDULES = {failing: Subspace("schedule", failing) for failing in (False, True)}
TOPICS = {failing: schedule.prefix for failing, schedule in _SCHEDULES.items()}
"""What to watch for deliveries that are due sooner than was known, in lanes that fail and in others."""


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A delivery that waits. `due` is in milliseconds since the epoch."""

    message: str
    """The message's id."""
    due: int
    attempts: int = 0
    """How often it has failed."""
    dead: str = ""
    """Why it was given up: all that is left is to bring it to the dead-letter queue."""
    dead_attempts: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Waiting).decode
_encode_message = msgspec.msgpack.Encoder().encode
_decode_message = msgspec.msgpack.Decoder(Message).decode


class Lane:
    """The waiting deliveries of one subscription."""

    __slots__ = ("_at", "_rows", "_topic", "arn")

    def __init__(self, topic: Topic, subscription_arn: str) -> None:
        self.arn = subscription_arn
        self._topic = topic
        id = subscription_arn.rpartition(":")[2]
        self._rows = topic.all.sub("lane", id)
        self._at = topic.all.key("lane-at", id)

    async def add(self, tx: Transaction, message: Message, waiting: Waiting) -> None:
        """Put a delivery into the lane."""
        tx.put(_message_key(self._topic, message.id), _encode_message(strip(message)))
        tx.add(_count_key(self._topic, message.id), 1)
        self._put(tx, waiting)
        await self._reschedule(tx, waiting.due)

    async def put_off(self, tx: Transaction, before: Waiting, after: Waiting) -> None:
        """Let a delivery, unless it is done, wait for its next attempt; `settle` must follow."""
        if await self._take_out(tx, before):
            self._put(tx, after)

    async def remove(self, tx: Transaction, waiting: Waiting) -> None:
        """Forget a delivery, and the message where it was the last; `settle` must follow."""
        if not await self._take_out(tx, waiting):
            return
        count = _count_key(self._topic, waiting.message)
        tx.add(count, -1)
        if await tx.counter(count) <= 0:
            tx.delete(count)
            tx.delete(_message_key(self._topic, waiting.message))

    async def _take_out(self, tx: Transaction, waiting: Waiting) -> bool:
        """Delete the row of a delivery; return whether it was there: another process may have made the delivery."""
        row = self._rows.key(waiting.due, waiting.message)
        if await tx.get(row) is None:
            return False
        tx.delete(row)
        return True

    def _put(self, tx: Transaction, waiting: Waiting) -> None:
        tx.put(self._rows.key(waiting.due, waiting.message), _encode(waiting))

    async def first(self, tx: Transaction, now: int, count: int, most_bytes: int) -> list[tuple[Waiting, Message]]:
        """Return the first deliveries of the lane that are due by `now`, all but the last below so many bytes.

        Where there are none, `settle` must follow.
        """
        found = []
        size = 0
        for _, raw in await tx.range(self._rows.begin, self._rows.key(now + 1), limit=count):
            waiting = _decode(raw)
            message = await tx.get(_message_key(self._topic, waiting.message))
            if message is None:
                # Nothing can come of it, and the lane would be looked at for ever.
                await self.remove(tx, waiting)
                continue
            found.append((waiting, _decode_message(message)))
            size += len(message)
            if size >= most_bytes:
                break
        return found

    async def settle(self, tx: Transaction, *, failing: bool) -> None:
        """Enter the lane into its schedule anew, or take it out where nothing waits."""
        rows = await tx.range(self._rows.begin, self._rows.end, limit=1)
        await self._unschedule(tx)
        if rows:
            self._schedule(tx, _decode(rows[0][1]).due, failing)

    async def clear(self, tx: Transaction, count: int) -> bool:
        """Forget up to `count` deliveries; return whether that was all."""
        rows = await tx.range(self._rows.begin, self._rows.end, limit=count)
        for _, raw in rows:
            await self.remove(tx, _decode(raw))
        if len(rows) < count:
            await self._unschedule(tx)
            return True
        return False

    async def _reschedule(self, tx: Transaction, due: int) -> None:
        raw = await tx.get(self._at)
        known, failing = (None, False) if raw is None else unpack(raw)
        if known is None or due < known:
            await self._unschedule(tx)
            self._schedule(tx, due, failing)

    def _schedule(self, tx: Transaction, due: int, failing: bool) -> None:
        tx.put(self._at, pack((due, failing)))
        tx.put(_SCHEDULES[failing].key(due, self.arn), b"")
        tx.notify(TOPICS[failing])

    async def _unschedule(self, tx: Transaction) -> None:
        raw = await tx.get(self._at)
        if raw is not None:
            due, failing = unpack(raw)
            drop(tx, due, self.arn, failing=failing)
            tx.delete(self._at)


async def scheduled(tx: Transaction, count: int, *, failing: bool) -> list[tuple[int, str, str]]:
    """Return when the lanes of a schedule are that are due first, their subscriptions' ARNs, and whose they are."""
    schedule = _SCHEDULES[failing]
    rows = await tx.range(schedule.begin, schedule.end, limit=count)
    found: list[tuple[int, str]] = [schedule.unpack(key) for key, _ in rows]
    return [(due, arn, arn.split(":", 5)[4]) for due, arn in found]


def drop(tx: Transaction, due: int, subscription_arn: str, *, failing: bool) -> None:
    """Take a lane out of a schedule."""
    tx.delete(_SCHEDULES[failing].key(due, subscription_arn))


def _message_key(topic: Topic, id: str) -> bytes:
    return topic.all.key("backlog-message", id)


def _count_key(topic: Topic, id: str) -> bytes:
    return topic.all.key("backlog-count", id)
