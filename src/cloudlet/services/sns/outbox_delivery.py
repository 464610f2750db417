"""Works off the outboxes: to queues in batches, and for all other subscribers into the backlog."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.block import Block
from cloudlet.services.sns import direct, outbox, outward, plan, queue_delivery, retries, status_log
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.backlog import Lane, Waiting
from cloudlet.services.sns.lease import Lease, until
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.outbox import Kind, Row
from cloudlet.services.sns.plan import Plan, Recipient
from cloudlet.services.sns.queue_delivery import BATCH, Outcome, Queue, Unavailable
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

log = logging.getLogger("cloudlet.sns")

_MESSAGES = 64
"""Of the outbox for queues, at once."""
_EXPANDED = 16
"""Of the outbox for others, at once: each may become hundreds of rows."""
_CALLS = 32
"""To SQS, at once: they share a synchronisation of its disk."""


class _Failed(NamedTuple):
    topic: Topic
    recipient: Recipient
    message: Message
    failure: Undeliverable


_Planned = list[tuple[Row, "Plan | None"]]


class OutboxDelivery:
    """One outbox of a block."""

    def __init__(self, block: Block, lease: Lease, kind: Kind) -> None:
        self._block = block
        self._lease = lease
        self._kind: Kind = kind
        self._calls = asyncio.Semaphore(_CALLS)

    async def run(self) -> None:
        """Deliver what is put into the outbox, for ever."""
        changed = asyncio.Event()
        count = _MESSAGES if self._kind == "queues" else _EXPANDED
        end_watch = self._block.store.watch(outbox.TOPICS[self._kind], changed.set)
        try:
            while True:
                changed.clear()
                planned = await self._block.store.transact(lambda tx: self._plan(tx, count))
                if not planned:
                    await changed.wait()
                    continue
                await self._lease.hold()
                failed = await self._send(planned) if self._kind == "queues" else []
                await self._block.store.transact(lambda tx, p=planned, f=failed: self._settle(tx, p, f))  # type: ignore[misc]
        finally:
            end_watch()

    async def _plan(self, tx: Transaction, count: int) -> _Planned:
        """Return the oldest messages, each with the next of its recipients, or None where its topic has gone."""
        planned: _Planned = []
        for row in await outbox.first(tx, self._kind, count):
            topic = await topics.find(tx, row.message.topic)
            planned.append((row, None if topic is None else await plan.of_topic(tx, topic, row.after)))
        return planned

    async def _settle(self, tx: Transaction, planned: _Planned, failed: list[_Failed]) -> None:
        """Write down how far the messages are, and what of them has to be tried again."""
        now = int(self._block.clock.now() * 1000)
        for topic, recipient, message, failure in failed:
            await put_off(tx, topic, recipient, message, failure, now)
        for row, page in planned:
            if page is not None and self._kind == "others":
                for recipient in wanted(row, page.others):
                    lane = Lane(page.topic, recipient.subscription.arn)
                    await lane.add(tx, row.message, Waiting(row.message.id, now))
            outbox.remove(tx, self._kind, row)
            if page is not None and page.following:
                outbox.add(tx, self._kind, Row(row.message, page.following, row.only))

    # -- to queues

    async def _send(self, planned: _Planned) -> list[_Failed]:
        """Deliver messages to the queues of their plans; return what failed."""
        shares: defaultdict[tuple[Queue, str], list[tuple[Topic, Recipient, Message]]] = defaultdict(list)
        for row, page in planned:
            if page is not None:
                for recipient in wanted(row, page.queues):
                    assert recipient.queue is not None  # noqa: S101 - for the type checker: it is one of the queues
                    shares[recipient.queue, page.topic.arn].append((page.topic, recipient, row.message))
        failed: list[_Failed] = []
        async with asyncio.TaskGroup() as group:
            for (queue, arn), share in shares.items():
                await self._calls.acquire()
                group.create_task(self._send_share(queue, arn, share, failed)).add_done_callback(
                    lambda _: self._calls.release()
                )
        return failed

    async def _send_share(
        self, queue: Queue, arn: str, share: list[tuple[Topic, Recipient, Message]], failed: list[_Failed]
    ) -> None:
        """Deliver to one queue."""
        for start in range(0, len(share), BATCH):
            batch = share[start : start + BATCH]
            for (topic, recipient, message), outcome in zip(
                batch, await self._send_batch(queue, arn, batch), strict=True
            ):
                if outcome is None or outcome.permanent:
                    status_log.note(self._block, topic, recipient.subscription, message, outcome)
                if outcome is not None:
                    failed.append(_Failed(topic, recipient, message, outcome))

    async def _send_batch(self, queue: Queue, arn: str, batch: list[tuple[Topic, Recipient, Message]]) -> list[Outcome]:
        """Deliver up to ten messages; while SQS is unavailable, wait for it."""
        endpoint = self._block.cloud.config.endpoint
        entries = [
            queue_delivery.entry(
                queue,
                message,
                recipient.subscription,
                endpoint,
                await outward.signature(self._block, topic, recipient.subscription, message),
            )
            for topic, recipient, message in batch
        ]
        failures = 0
        while True:
            try:
                outcomes = await queue_delivery.send(self._block, queue, arn, entries)
            except Unavailable as unavailable:
                failures += 1
                pause = retries.MANAGED_BY_AWS.delay(failures)
                if pause is None:
                    return [Undeliverable(str(unavailable), permanent=True)] * len(batch)
                await until(self._block, self._block.clock.now() + pause)
                await self._lease.hold()
            else:
                direct.of(self._block).open = True
                return outcomes


def wanted(row: Row, recipients: list[Recipient]) -> list[Recipient]:
    """Return those of the recipients that a message in an outbox is for."""
    return [
        recipient
        for recipient in recipients
        if (not row.only or recipient.subscription.id in row.only) and recipient.wants(row.message)
    ]


async def put_off(
    tx: Transaction, topic: Topic, recipient: Recipient, message: Message, failure: Undeliverable, now: int
) -> None:
    """Put a delivery that has failed for the first time into the backlog, unless that was all."""
    waiting = retries.after_failure(topic, recipient.subscription, Waiting(message.id, now), failure, now)
    if waiting is not None:
        await Lane(topic, recipient.subscription.arn).add(tx, message, waiting)
