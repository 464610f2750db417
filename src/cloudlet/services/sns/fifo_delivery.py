"""Delivery for FIFO topics: every subscription follows its topic's log in order, at its own pace.

A message whose delivery fails holds up those behind it, for this subscription alone, until it is delivered, has gone to
the dead-letter queue or is given up.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import NamedTuple

from cloudlet.core import Arn, Transaction
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off, watching
from cloudlet.services.sns import (
    archive,
    cursor,
    dead_letters,
    encryption,
    fifo,
    limits,
    matching,
    measuring,
    outward,
    plan,
    queue_delivery,
    retries,
)
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.cursor import Cursor
from cloudlet.services.sns.filter_policy import Rejection
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.outcomes import settled
from cloudlet.services.sns.plan import Recipient
from cloudlet.services.sns.queue_delivery import BATCH, Outcome, Unavailable
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

log = logging.getLogger("cloudlet.sns")

_TOPICS = 500
"""Looked after at once."""
_TURNS = 64
"""Of subscriptions, at once; an account has half of them, where it has filters that take long."""
_MESSAGES = 20
_LARGE_MESSAGES = 5
"""In a turn, and of topics with messages above 256 KiB: all turns together hold 320 MiB at most."""
_TRIMMED = 200
"""The log is shortened by so much at least while there are deliveries."""


class _Turn(NamedTuple):
    """What a subscription gets next."""

    topic: Topic
    recipient: Recipient
    cursor: Cursor
    rows: list[tuple[int, Message]]
    """What is in the log, with the places."""
    last: int
    """The place up to which the log was looked through."""


class _Sifted(NamedTuple):
    """What a subscription wants of some messages, and why its filter keeps others from it, by place."""

    found: list[tuple[int, Message]]
    rejected: list[tuple[int, Rejection]]


def _sifted(recipient: Recipient, rows: list[tuple[int, Message]]) -> _Sifted:
    sifted = _Sifted([], [])
    for place, message in rows:
        rejection = recipient.rejection(message)
        if rejection is None:
            sifted.found.append((place, message))
        else:
            sifted.rejected.append((place, rejection))
    return sifted


class FifoDelivery:
    """All FIFO topics of a block."""

    def __init__(self, block: Block, lease: Lease) -> None:
        self._block = block
        self._lease = lease
        self._turns = FairSemaphore(_TURNS, _TURNS // 2)

    async def run(self) -> None:
        """Deliver what is published to FIFO topics, for ever."""
        store = self._block.store
        async with watching(self._block, fifo.TOPIC) as changed, asyncio.TaskGroup() as group:
            works = KeyedTasks(self._block, changed, _TOPICS)
            while True:
                changed.clear()
                for arn in await store.transact(lambda tx: fifo.due(tx, "", _TOPICS + len(works))):
                    works.start(group, arn, f"delivery from {arn}", partial(self._look_after, arn))
                await changed.wait()

    # -- a topic

    async def _look_after(self, arn: str) -> None:
        """Bring the subscriptions of a topic up to date."""
        async with watching(self._block, fifo.woken(arn)) as changed, asyncio.TaskGroup() as group:
            works = KeyedTasks(self._block, changed)
            while True:
                changed.clear()
                behind = await self._block.store.transact(lambda tx: self._behind(tx, arn, works))
                if not behind and not works:
                    return
                for id in behind:
                    works.start(group, id, f"delivery from {arn} to {id}", partial(self._bring_up, arn, id))
                await changed.wait()

    async def _behind(self, tx: Transaction, arn: str, works: KeyedTasks) -> list[str]:
        """Return the ids of subscriptions that have something to get and are not at work; shorten the log.

        A topic all of whose subscriptions are up to date has a rest.
        """
        topic = await topics.find(tx, arn)
        if topic is None:
            fifo.rest(tx, arn)
            return []
        subscriptions = [recipient.subscription for recipient in (await plan.of_topic(tx, topic)).recipients]
        cursors = await cursor.of_topic(tx, topic, subscriptions)
        last = await fifo.last_number(tx, topic)
        behind = [
            subscribed.id
            for subscribed in subscriptions
            if subscribed.id not in works
            and (cursors[subscribed.id].at < last or cursors[subscribed.id].replay or archive.is_asked_for(subscribed))
        ]
        resting = not behind and not works
        if resting:
            fifo.rest(tx, arn)
        if "ArchivePolicy" not in topic.attributes:
            place = min([at.at for at in cursors.values()], default=last)
            trimmed = topic.all.key("log-trimmed")
            if place - await tx.counter(trimmed) >= (1 if resting else _TRIMMED):
                fifo.forget(tx, topic, place)
                tx.add(trimmed, place - await tx.counter(trimmed))
        return behind

    # -- a subscription

    async def _bring_up(self, arn: str, id: str) -> None:
        """Deliver to a subscription until there is nothing left."""
        while True:
            async with self._turns.hold(Arn.parse(arn).account), self._lease.during():
                turn = await self._block.store.transact(lambda tx: self._next(tx, arn, id))
                if turn is None:
                    return
                messages = await encryption.open_bodies(self._block, turn.topic, [message for _, message in turn.rows])
                rows = [(place, message) for (place, _), message in zip(turn.rows, messages, strict=True)]
                turn = turn._replace(rows=rows)
                sifted = await matching.apart(
                    turn.topic.account, [turn.recipient], messages, _sifted, turn.recipient, turn.rows
                )
                place, failure = await self._deliver(turn, sifted.found)
                kept = [rejection for at, rejection in sifted.rejected if at <= place]
                measuring.filtered_out(self._block, turn.topic, kept)
                earlier = turn.cursor.failures if place == turn.cursor.place else 0
                failures = 0 if failure is None else earlier + 1
                await self._block.store.transact(lambda tx, t=turn, p=place, f=failures: self._move(tx, t, p, f))  # type: ignore[misc]
            if failure is not None:
                pause = retries.MANAGED_BY_AWS.delay(failures) or 0.0
                await back_off(self._block, pause)

    async def _next(self, tx: Transaction, arn: str, id: str) -> _Turn | None:
        """Return what a subscription gets next, or None where it is up to date or has gone."""
        topic = await topics.find(tx, arn)
        if topic is None:
            return None
        recipients = (await plan.of_topic(tx, topic)).recipients
        recipient = next((each for each in recipients if each.subscription.id == id), None)
        if recipient is None:
            return None
        subscribed = recipient.subscription
        at = await cursor.of_subscription(tx, topic, subscribed)
        if archive.is_asked_for(subscribed):
            cursor.store(tx, topic, id, await archive.started(tx, topic, subscribed, at))
            return await self._next(tx, arn, id)
        replay = at.replay
        if replay is not None and archive.is_over(topic, subscribed, replay):
            cursor.store(tx, topic, id, archive.finished(tx, topic, subscribed, at))
            return await self._next(tx, arn, id)
        last = await fifo.last_number(tx, topic) if replay is None else replay.last
        if at.place >= last:
            return None
        count = _MESSAGES if topic.maximum_message_bytes <= limits.MESSAGE_BYTES else _LARGE_MESSAGES
        rows = await fifo.after(tx, topic, at.place, last, count)
        if len(rows) == count:
            last = rows[-1][0]
        if replay is not None:
            rows = [(place, archive.replayed(message, subscribed)) for place, message in rows]
        return _Turn(topic, recipient, at, rows, last)

    async def _move(self, tx: Transaction, turn: _Turn, place: int, failures: int) -> None:
        """Write down how far a subscription is."""
        topic = await topics.find(tx, turn.topic.arn)
        if topic is not None and topic.number == turn.topic.number:
            cursor.store(tx, topic, turn.recipient.subscription.id, turn.cursor.moved(place, failures))

    async def _deliver(self, turn: _Turn, found: list[tuple[int, Message]]) -> tuple[int, Undeliverable | None]:
        """Deliver in order; return the place up to which all is settled, and what stopped it there."""
        failures = turn.cursor.failures
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            began = self._block.clock.now()
            outcomes = await self._send(turn, [message for _, message in batch])
            for (place, message), outcome in zip(batch, outcomes, strict=True):
                failure = None if outcome is None else await self._give_up(turn, message, outcome, failures)
                if failure is not None:
                    return place - 1, failure
                subscribed = turn.recipient.subscription
                settled(self._block, turn.topic, subscribed, message, outcome, began=began, attempts=failures + 1)
                failures = 0
        return turn.last, None

    async def _send(self, turn: _Turn, messages: list[Message]) -> list[Outcome]:
        """Send up to ten messages to the subscription's queue; return what became of each."""
        topic, subscribed, queue = turn.topic, turn.recipient.subscription, turn.recipient.queue
        if queue is None:
            reason = f"a FIFO topic does not deliver by the protocol {subscribed.protocol}"
            return [Undeliverable(reason, permanent=True)] * len(messages)
        endpoint = self._block.cloud.config.endpoint
        entries = [
            queue_delivery.entry(
                queue,
                message,
                subscribed,
                endpoint,
                await outward.signature(self._block, topic, subscribed, message),
            )
            for message in messages
        ]
        try:
            return await queue_delivery.send(self._block, queue, topic.arn, entries)
        except Unavailable as unavailable:
            return [Undeliverable(str(unavailable), permanent=False)] * len(messages)

    async def _give_up(
        self, turn: _Turn, message: Message, failure: Undeliverable, failures: int
    ) -> Undeliverable | None:
        """Bring a message that cannot be delivered to the dead-letter queue; return why it is to be tried again."""
        if not failure.permanent and retries.MANAGED_BY_AWS.delay(failures + 1) is not None:
            return failure
        topic, subscribed = turn.topic, turn.recipient.subscription
        signature = await outward.signature(self._block, topic, subscribed, message)
        if dead_letters.queue_of(subscribed) is None:
            return None
        try:
            await dead_letters.bury(self._block, subscribed, message, signature)
            measuring.buried(self._block, topic, None)
        except Undeliverable as unburied:
            if not unburied.permanent:
                return unburied
            measuring.buried(self._block, topic, unburied)
            log.warning("%s is lost for %s: %s", message.id, subscribed.arn, unburied.reason)
        return None
