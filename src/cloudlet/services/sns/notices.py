"""Notices to endpoints about their subscription: please confirm, and goodbye.

A notice is a row under the time at which it is due. The job claims what is due by moving it behind the end of the
attempt, so that another replica, or this one after a crash, tries again what was not finished. It is tried again as
messages of the topic are.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.ids import uuid4
from cloudlet.core.places import Places
from cloudlet.services.sns import notification, outward, retries, subscription
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

log = logging.getLogger("cloudlet.sns")

_NOTICES = Subspace("notice")
_WRITTEN = _NOTICES.prefix
_AT_ONCE = 100
_ATTEMPT_MS = 60_000
"""More than an attempt can take."""


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """What is to be sent. `kind` is the Type that SNS's messages have; `written` is in milliseconds."""

    id: str
    kind: str
    topic: Topic
    subscription: Subscription
    written: int
    attempts: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Notice).decode


def write(tx: Transaction, topic: Topic, about: Subscription, kind: str, now: int) -> None:
    """Have a notice sent once this transaction is committed."""
    _put(tx, Notice(uuid4(), kind, topic, about, now), now)


async def send(block: Block) -> None:
    """Send notices for as long as the block runs."""
    changed = asyncio.Event()
    end_watch = block.store.watch(_WRITTEN, changed.set)
    sending = Places(_AT_ONCE, changed)
    try:
        async with asyncio.TaskGroup() as group:
            while True:
                changed.clear()
                claimed, due = await _claim(block, sending.free)
                for end, notice in claimed:
                    # An attempt that takes longer than it should is made again: it has an id of its own.
                    id = f"{notice.id} {end}"
                    sending.take(id)
                    task = group.create_task(_attempt(block, end, notice))
                    task.add_done_callback(lambda _, id=id: sending.leave(id))  # type: ignore[misc]
                cancel = None if due is None else block.clock.call_at(due / 1000, changed.set)
                await changed.wait()
                if cancel is not None:
                    cancel()
    finally:
        end_watch()


async def _claim(block: Block, count: int) -> tuple[list[tuple[int, Notice]], int | None]:
    """Return notices to try now, with the ends of their attempts, and when (ms) the next one is due."""
    now = int(block.clock.now() * 1000)

    async def body(tx: Transaction) -> tuple[list[tuple[int, Notice]], int | None]:
        claimed: list[tuple[int, Notice]] = []
        rows = await tx.range(_NOTICES.begin, _NOTICES.end, limit=count + 1)
        for key, raw in rows:
            due = _NOTICES.unpack(key)[0]
            if len(claimed) == count:
                # The end of an attempt makes room, and wakes the job.
                return claimed, None
            if due > now:
                return claimed, due
            notice = _decode(raw)
            tx.delete(key)
            if await _is_of_use(tx, notice):
                tx.put(_NOTICES.key(now + _ATTEMPT_MS, notice.id), raw)
                claimed.append((now + _ATTEMPT_MS, notice))
        return claimed, now if len(rows) > count else None

    return await block.store.transact(body)


async def _is_of_use(tx: Transaction, notice: Notice) -> bool:
    """Whether to send a notice: nobody is asked once he has confirmed, or the topic has gone."""
    if notice.kind != notification.SUBSCRIPTION_CONFIRMATION:
        return True
    pending = await subscription.by_id(tx, notice.topic, notice.subscription.id)
    return pending is not None and not pending.confirmed


async def _attempt(block: Block, end: int, notice: Notice) -> None:
    failure = await _failure(block, notice)
    pause: float | None = None
    if failure is not None:
        if not failure.permanent:
            pause = retries.delay(notice.topic, notice.subscription, notice.attempts + 1)
        if pause is None:
            log.warning("%s of %s was given up: %s", notice.kind, notice.subscription.arn, failure.reason)
    now = int(block.clock.now() * 1000)

    async def body(tx: Transaction) -> None:
        tx.delete(_NOTICES.key(end, notice.id))
        if pause is not None:
            after = msgspec.structs.replace(notice, attempts=notice.attempts + 1)
            _put(tx, after, now + int(pause * 1000))

    await block.store.transact(body)


async def _failure(block: Block, notice: Notice) -> Undeliverable | None:
    """Send a notice; return why that failed."""
    try:
        await outward.notify(block, notice.topic, notice.subscription, notice.kind, notice.id, notice.written)
    except Undeliverable as failure:
        return failure
    except Exception as error:
        log.exception("%s of %s failed", notice.kind, notice.subscription.arn)
        return Undeliverable(f"internal error: {error!r}", permanent=False)
    return None


def _put(tx: Transaction, notice: Notice, due: int) -> None:
    tx.put(_NOTICES.key(due, notice.id), _encode(notice))
    tx.notify(_WRITTEN)
