"""FIFO queues: messages of a group in order, none behind one that is in flight, duplicates stored once.

Developer Guide, "FIFO queue and message group ID logic", "Exactly-once processing", "Using the receive request
attempt ID".
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.sqs import contents, limits
from cloudlet.services.sqs.contents import Received
from cloudlet.services.sqs.flights import InFlightMessages
from cloudlet.services.sqs.groups import Group, Picked
from cloudlet.services.sqs.messages import Message, decode
from cloudlet.services.sqs.queue import Queue, timer_key
from cloudlet.store import unpack

_SWEPT = 4
_RETIMED = 10_000
_RETIMED_BYTES = 16 << 20
_PAGE = 20


async def take(tx: Transaction, queue: Queue, count: int, now: int) -> list[Picked]:
    """Take up to `count` messages: as many as there are of one group, then of the next."""
    taken: list[Picked] = []
    # Without a delay it does not matter when they were sent, which may be later than now where the clock was set back.
    sent_by = now - queue.delay if queue.delay else None
    listed = []
    for space in (queue.available, queue.returned):
        rows = await tx.range(space.begin, space.end, limit=count)
        listed += [(key[len(space.prefix) :], name) for key, name in rows]
    for _, name in sorted(listed):
        group = await Group.read(tx, queue, name.decode())
        more = await group.take(tx, count - len(taken), sent_by=sent_by)
        if not more:
            # It is still delayed, and so are those that have arrived behind it, but not those that have come back.
            continue
        group.write(tx)
        taken += more
        if len(taken) == count:
            break
    return taken


async def change_delay(tx: Transaction, before: Queue, queue: Queue, now: int) -> None:
    """Apply a new DelaySeconds to messages already in the queue, as documented of FIFO queues.

    What is delivered follows from the queue's delay alone; here the timers that count delayed messages are set anew.
    """
    for place, message in await _sent_since(tx, queue, now - max(before.delay, queue.delay)):
        sent = message.sent
        old = timer_key(queue.timers, sent + before.delay, place)
        if await tx.get(old) is not None and sent + before.delay > now:
            tx.delete(old)
            tx.add(queue.delayed_count, -1)
        if sent + queue.delay > now and await contents.visible(tx, queue, place, message.group) is not None:
            contents.count_delayed(tx, queue, sent + queue.delay, place)
    tx.notify(queue.topic)


async def _sent_since(tx: Transaction, queue: Queue, oldest: int) -> list[tuple[bytes, Message]]:
    """Return the messages that were sent after a time, with their places: the newest ones, where they are very many."""
    start, end = len(queue.messages.prefix), queue.messages.end
    found: list[tuple[bytes, Message]] = []
    room = _RETIMED_BYTES
    while len(found) < _RETIMED and room > 0:
        rows = await tx.range(queue.messages.begin, end, limit=_PAGE, reverse=True)
        for key, value in rows:
            message = decode(value)
            if message.sent <= oldest:
                return found
            found.append((key[start:], message))
            room -= len(value)
        if len(rows) < _PAGE:
            break
        end = rows[-1][0]
    return found


# -- deduplication of messages


class _Sent(msgspec.Struct, array_like=True):
    """What was sent first under a deduplication id."""

    id: str
    seq: int
    expires: int


_decode_sent = msgspec.msgpack.Decoder(_Sent).decode
_encode = msgspec.msgpack.Encoder().encode


async def duplicate_of(tx: Transaction, queue: Queue, message: Message, now: int) -> tuple[str, int] | None:
    """Return the id and place of the message that this one repeats, if it was sent less than five minutes ago."""
    raw = await tx.get(_dedup_key(queue, message))
    if raw is None:
        return None
    sent = _decode_sent(raw)
    # What expires later than that was sent before the clock was set back.
    is_recent = now < sent.expires <= now + limits.DEDUPLICATION_SECONDS * 1000
    return (sent.id, sent.seq) if is_recent else None


async def remember(tx: Transaction, queue: Queue, message: Message, seq: int, now: int) -> None:
    """Note what was sent, and forget some of what was sent more than five minutes ago."""
    for key, value in await tx.range(queue.dedup_expiries.begin, queue.dedup_expiries.key(now + 1), limit=_SWEPT):
        tx.delete(key)
        raw = await tx.get(value)
        if raw is not None and _decode_sent(raw).expires <= now:
            tx.delete(value)
    key = _dedup_key(queue, message)
    expires = now + limits.DEDUPLICATION_SECONDS * 1000
    tx.put(key, _encode(_Sent(message.id, seq, expires)))
    tx.put(queue.dedup_expiries.key(expires, seq), key)


def _dedup_key(queue: Queue, message: Message) -> bytes:
    scope = message.group if queue.deduplicates_in_group else None
    return queue.dedup.key(scope, message.dedup)


# -- repeated receives


class _Attempt(msgspec.Struct, array_like=True):
    """What a ReceiveMessage with an attempt id delivered: places, and the nonce and time due of all of them."""

    places: list[bytes]
    nonces: list[bytes]
    due: int
    expires: int


_decode_attempt = msgspec.msgpack.Decoder(_Attempt).decode


async def repeat(tx: Transaction, queue: Queue, attempt: str, visibility: int, now: int) -> list[Received] | None:
    """Return what the same attempt received before, if all of it is still in flight as it was then.

    Its visibility timeout starts anew.
    """
    key = queue.attempts.key(attempt)
    raw = await tx.get(key)
    if raw is None:
        return None
    record = _decode_attempt(raw)
    if record.expires <= now or record.due <= now:
        return None
    found: list[Received] = []
    flights = InFlightMessages(tx, queue)
    for place, nonce in zip(record.places, record.nonces, strict=True):
        state = await flights.find(place, nonce, record.due)
        message = await contents.message(tx, queue, place)
        if state is None or message is None or state.nonce != nonce or state.due != record.due:
            return None
        found.append((place, message, state))
    record.due = now + visibility
    tx.put(key, _encode(record))
    for place, _, state in found:
        flights.change_due(place, state, record.due)
    flights.write()
    return found


async def note_attempt(tx: Transaction, queue: Queue, attempt: str, found: list[Received], now: int) -> None:
    """Remember for five minutes what an attempt received."""
    space = queue.attempt_expiries
    for key, _ in await tx.range(space.begin, space.key(now + 1), limit=_SWEPT):
        tx.delete(key)
        other = unpack(key[len(space.prefix) :])[1]
        raw = await tx.get(queue.attempts.key(other))
        if raw is not None and _decode_attempt(raw).expires <= now:
            tx.delete(queue.attempts.key(other))
    expires = now + limits.DEDUPLICATION_SECONDS * 1000
    record = _Attempt(
        [place for place, _, _ in found], [state.nonce for _, _, state in found], found[0][2].due, expires
    )
    tx.put(queue.attempts.key(attempt), _encode(record))
    tx.put(space.key(expires, attempt), b"")
