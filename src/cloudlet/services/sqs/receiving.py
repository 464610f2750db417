"""Receiving: visible messages go in flight; those received too often go to the dead-letter queue instead."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.sqs import contents, directory, fairness, fifo, flights, sending
from cloudlet.services.sqs.contents import Received
from cloudlet.services.sqs.groups import Picked
from cloudlet.services.sqs.messages import Message, State, state_of
from cloudlet.services.sqs.queue import Queue

_LAID_ASIDE_AT_ONCE: Final = 50
"""One transaction does so much, and no more than a batch beyond it: others have their turn, and each of its reads has
to skip what it has taken out before."""
_BATCH: Final = 10


class Outcome:
    """What a receive found: messages now in flight, and whether it changed anything else that must be kept."""

    __slots__ = ("found", "moved")

    def __init__(self) -> None:
        self.found: list[Received] = []
        self.moved = 0
        """How many went to a dead-letter queue or had expired."""

    @property
    def is_cut_short(self) -> bool:
        """Whether there may be messages behind those that were moved."""
        return not self.found and self.moved >= _LAID_ASIDE_AT_ONCE


async def receive(tx: Transaction, queue: Queue, count: int, visibility: int, now: float) -> Outcome:
    """Take up to `count` visible messages into flight for `visibility` (ms).

    Behind many that are not to be delivered any more it does not look: `discard` has to be called first.
    """
    millis = int(now * 1000)
    result = Outcome()
    while count > len(result.found) and result.moved < _LAID_ASIDE_AT_ONCE:
        picked = await take(tx, queue, count - len(result.found), millis)
        if not picked:
            break
        for (place, state), message in zip(picked, await contents.messages(tx, queue, picked), strict=True):
            if message is None or _is_over(queue, message, state, millis):
                message = await _laid_aside(tx, queue, place, message, state, now)
            if message is None:
                result.moved += 1
            else:
                result.found.append((place, message, state))
    if result.found:
        flights.depart(tx, queue, [(place, state) for place, _, state in result.found], visibility, millis)
    return result


async def take(tx: Transaction, queue: Queue, count: int, now: int) -> list[Picked]:
    """Take messages from the visible ones."""
    if queue.fifo:
        return await fifo.take(tx, queue, count, now)
    if await tx.get(queue.grouped) is not None:
        return await fairness.take(tx, queue, count, now)
    ready = queue.ready
    start = len(ready.prefix)
    picked = []
    for key, value in await tx.range(ready.begin, ready.end, limit=count):
        tx.delete(key)
        picked.append((key[start:], state_of(value)))
    return picked


def _is_over(queue: Queue, message: Message, state: State, now: int) -> bool:
    """Whether a message has expired or was received as often as it may be."""
    return message.sent + queue.retention <= now or 0 < queue.max_receives <= state.receives


async def _laid_aside(
    tx: Transaction, queue: Queue, place: bytes, message: Message | None, state: State, now: float
) -> Message | None:
    """Delete a message that was taken and is over, or move it to the dead-letter queue; return it if there is none."""
    if message is None or message.sent + queue.retention <= int(now * 1000):
        await contents.remove_taken(tx, queue, place, state.group)
        return None
    return None if await _bury(tx, queue, place, message, state, now) else message


async def _bury(tx: Transaction, queue: Queue, place: bytes, message: Message, state: State, now: float) -> bool:
    """Move a message to the dead-letter queue; return whether there is one.

    On standard queues it keeps its time of arrival, on FIFO queues that starts anew, and its deduplication id becomes
    its message id (Developer Guide, "Setting-up dead-letter queue retention", "Configure a dead-letter queue redrive").
    """
    target = await directory.by_arn(tx, queue.redrive_target or "")
    if target is None or target.fifo != queue.fifo:
        return False
    await contents.remove_taken(tx, queue, place, state.group)
    moved = msgspec.structs.replace(message, source=queue.arn, receives=message.receives + state.receives, due=0)
    if queue.fifo:
        moved.sent, moved.dedup = int(now * 1000), message.id
    await sending.move(tx, target, moved, now, place)
    return True


async def discard(tx: Transaction, queue: Queue, now: float) -> bool:
    """Move or delete those at the head that are not to be delivered any more, without receiving any.

    Returns whether there may be more of them: one transaction takes some dozens.
    """
    millis = int(now * 1000)
    await contents.settle(tx, queue, millis)
    moved = 0
    while moved < _LAID_ASIDE_AT_ONCE:
        picked = await take(tx, queue, _BATCH, millis)
        if not picked:
            return False
        kept = False
        for (place, state), message in zip(picked, await contents.messages(tx, queue, picked), strict=True):
            if message is None or _is_over(queue, message, state, millis):
                message = await _laid_aside(tx, queue, place, message, state, now)
            if message is None:
                moved += 1
            else:
                await contents.put_back(tx, queue, place, state)
                kept = True
        if kept:
            return False
    return True
