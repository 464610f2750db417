"""Notices to endpoints about their subscription: please confirm, and goodbye.

A notice is a row under the time at which it is due. The job claims what is due by moving it behind the end of the
attempt, so that another replica, or this one after a crash, tries again what was not finished. It is tried again as
messages of the topic are.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import start_timers
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
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
    await start_timers(block, None, _WRITTEN, _first, "the notice", partial(_attempt, block), at_once=_AT_ONCE)


async def _first(tx: Transaction, count: int) -> list[tuple[int, str, str]]:
    """Return when (ms) the notices that are due first are, their ids, and whose they are."""
    rows: list[tuple[Any, ...]] = [
        (*_NOTICES.unpack(key), _account(raw)) for key, raw in await tx.range(_NOTICES.begin, _NOTICES.end, limit=count)
    ]
    return [(due, id, account) for due, id, account in rows]


def _account(raw: bytes) -> str:
    """Return whose a notice is; nobody's where it cannot be read, which is said once it is to be sent."""
    try:
        return _decode(raw).topic.account
    except msgspec.DecodeError:
        return ""


async def _claim(tx: Transaction, due: int, id: str, end: int) -> Notice | None:
    """Return a notice that is to be tried until an end (ms); None where that is done, or of no use any more."""
    key = _NOTICES.key(due, id)
    raw = await tx.get(key)
    if raw is None:
        return None
    notice = _decode(raw)
    tx.delete(key)
    if not await _is_of_use(tx, notice):
        return None
    tx.put(_NOTICES.key(end, id), raw)
    return notice


async def _is_of_use(tx: Transaction, notice: Notice) -> bool:
    """Whether to send a notice: nobody is asked once he has confirmed, or the topic has gone."""
    if notice.kind != notification.SUBSCRIPTION_CONFIRMATION:
        return True
    pending = await subscription.by_id(tx, notice.topic, notice.subscription.id)
    return pending is not None and not pending.confirmed


async def _attempt(block: Block, due: int, id: str) -> None:
    end = int(block.clock.now() * 1000) + _ATTEMPT_MS
    notice = await block.store.transact(lambda tx: _claim(tx, due, id, end))
    if notice is None:
        return
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
