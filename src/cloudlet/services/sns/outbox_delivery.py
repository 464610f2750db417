"""Works off the outboxes: to queues in batches, and for all other subscribers into the backlog."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background import keyed_queues
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off, watching
from cloudlet.services.sns import (
    direct,
    encryption,
    matching,
    measuring,
    outbox,
    outward,
    plan,
    queue_delivery,
    retries,
    subscription,
)
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.backlog import Lane, Waiting
from cloudlet.services.sns.filter_policy import Rejection
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.outbox import Kind, Row
from cloudlet.services.sns.outcomes import settled
from cloudlet.services.sns.plan import Plan, Recipient
from cloudlet.services.sns.queue_delivery import BATCH, Outcome, Queue, Unavailable
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

_ACCOUNTS = 16
"""So many of them have their turns at once."""
_MESSAGES = 30
"""Of an account in the outbox for queues, at once: full batches for each queue."""
_EXPANDED = 16
"""Of an account in the outbox for others, at once: each may become hundreds of rows."""
_TAKEN_OVER = 50
_LANES = 500
"""So many of them get messages in one transaction, or those of one message."""
_CALLS = 32
"""To SQS, at once: they share a synchronisation of its disk."""


class _Parcel(NamedTuple):
    """A message on its way to one queue."""

    topic: Topic
    recipient: Recipient
    message: Message


class _Planned(NamedTuple):
    """A message in the outbox, and those of a page of its recipients who get it."""

    key: bytes
    row: Row
    page: Plan
    wanted: list[Recipient]


_Failed = list[tuple[_Parcel, Undeliverable]]


class OutboxDelivery:
    """One outbox of a block."""

    def __init__(self, block: Block, lease: Lease, kind: Kind) -> None:
        self._block = block
        self._lease = lease
        self._kind: Kind = kind
        self._calls = asyncio.Semaphore(_CALLS)
        self._places = asyncio.Semaphore(_ACCOUNTS)

    async def run(self) -> None:
        """Deliver what is put into the outbox, for ever."""
        store, kind = self._block.store, self._kind
        while await store.transact(lambda tx: outbox.take_over(tx, kind, _TAKEN_OVER)):
            pass
        await keyed_queues.drain(
            self._block, outbox.TOPICS[kind], lambda tx, after, count: outbox.accounts(tx, kind, after, count), self._of
        )

    async def _of(self, account: str) -> None:
        """Deliver what an account has in the outbox, until nothing is left."""
        count = _EXPANDED if self._kind == "others" else _MESSAGES
        async with watching(self._block, outbox.TOPICS[self._kind]) as changed:
            works = KeyedTasks(self._block, changed)
            while True:
                changed.clear()
                async with self._places, self._lease.during():
                    most = count + len(works)
                    listed = await self._block.store.transact(
                        lambda tx, most=most: outbox.first(tx, self._kind, account, most)  # type: ignore[misc]
                    )
                    keys = [key for key in listed if key not in works]
                    await works.run_batch(keys[:count], "delivery of the message", self._work_off)
                if not listed:
                    return
                if not keys:
                    await changed.wait()

    async def _work_off(self, keys: list[bytes]) -> None:
        """Bring messages to their recipients, or on their way."""
        store = self._block.store
        pages = await store.transact(lambda tx: self._pages(tx, keys))
        planned = [await self._planned(key, await self._open(row, page), page) for key, row, page in pages]
        if self._kind == "others":
            for some in _parts(planned):
                await store.transact(lambda tx, some=some: self._expand(tx, some))  # type: ignore[misc]
            return
        failed = await self._send(planned)
        await store.transact(lambda tx: self._settle(tx, planned, failed))

    async def _open(self, row: Row, page: Plan) -> Row:
        """Return a message of the outbox with its bodies in the clear."""
        (message,) = await encryption.open_bodies(self._block, page.topic, [row.message])
        return row if message is row.message else replace(row, message=message)

    async def _pages(self, tx: Transaction, keys: list[bytes]) -> list[tuple[bytes, Row, Plan]]:
        """Return messages, each with the next of its recipients; forget those whose topic has gone."""
        found: list[tuple[bytes, Row, Plan]] = []
        for key in keys:
            row = await outbox.find(tx, key)
            if row is None:
                continue
            topic = await topics.find(tx, row.message.topic)
            if topic is None:
                outbox.remove(tx, self._kind, row)
            else:
                found.append((key, row, await plan.of_topic(tx, topic, row.after)))
        return found

    async def _planned(self, key: bytes, row: Row, page: Plan) -> _Planned:
        """Find out who gets a message, and count what is filtered out: of topics with one page, publishing did."""
        recipients = page.queues if self._kind == "queues" else page.others
        if row.only:
            return _Planned(key, row, page, [each for each in recipients if each.subscription.id in row.only])
        staying = [each for each in recipients if each.created <= row.message.published]
        if not page.is_filtered:
            return _Planned(key, row, page, staying)
        wanted, rejections = await matching.apart(
            page.topic.account, staying, [row.message], _sorted_out, row.message, staying
        )
        if page.following or row.after:
            measuring.filtered_out(self._block, page.topic, rejections)
        return _Planned(key, row, page, wanted)

    def _advance(self, tx: Transaction, row: Row, page: Plan) -> None:
        """Write down that a page of a message's recipients is done."""
        outbox.remove(tx, self._kind, row)
        if page.following:
            outbox.add(tx, self._kind, Row(row.message, page.following, row.only))

    # -- to other subscribers

    async def _expand(self, tx: Transaction, planned: list[_Planned]) -> None:
        """Put messages into the lanes of their recipients."""
        now = int(self._block.clock.now() * 1000)
        for each in planned:
            row, page = each.row, each.page
            topic = await topics.find(tx, row.message.topic)
            if await outbox.find(tx, each.key) is None or topic is None or topic.number != page.topic.number:
                # It is looked at again, if it is still there.
                continue
            for recipient in each.wanted:
                lane = Lane(page.topic, recipient.subscription.arn)
                await lane.add(tx, row.message, Waiting(row.message.id, now))
            self._advance(tx, row, page)

    # -- to queues

    async def _settle(self, tx: Transaction, planned: list[_Planned], failed: _Failed) -> None:
        """Write down how far the messages are, and what of them has to be tried again."""
        now = int(self._block.clock.now() * 1000)
        for parcel, failure in failed:
            await put_off(tx, parcel.topic, parcel.recipient, parcel.message, failure, now)
        for each in planned:
            self._advance(tx, each.row, each.page)

    async def _send(self, planned: list[_Planned]) -> _Failed:
        """Deliver messages to the queues of their plans; return what failed."""
        shares: defaultdict[tuple[Queue, str], list[_Parcel]] = defaultdict(list)
        for _, row, page, wanted in planned:
            for recipient in wanted:
                assert recipient.queue is not None  # noqa: S101 - for the type checker: it is one of the queues
                shares[recipient.queue, page.topic.arn].append(_Parcel(page.topic, recipient, row.message))
        failed: _Failed = []
        async with asyncio.TaskGroup() as group:
            for (queue, arn), share in shares.items():
                await self._calls.acquire()
                group.create_task(self._send_share(queue, arn, share, failed)).add_done_callback(
                    lambda _: self._calls.release()
                )
        return failed

    async def _send_share(self, queue: Queue, arn: str, share: list[_Parcel], failed: _Failed) -> None:
        """Deliver to one queue."""
        for start in range(0, len(share), BATCH):
            batch = share[start : start + BATCH]
            began = self._block.clock.now()
            for parcel, outcome in zip(batch, await self._send_batch(queue, arn, batch), strict=True):
                if outcome is None or outcome.permanent:
                    subscribed = parcel.recipient.subscription
                    settled(self._block, parcel.topic, subscribed, parcel.message, outcome, began=began)
                if outcome is not None:
                    failed.append((parcel, outcome))

    async def _send_batch(self, queue: Queue, arn: str, batch: list[_Parcel]) -> list[Outcome]:
        """Deliver up to ten messages; while SQS is unavailable, wait for it."""
        entries = [await self._entry(queue, parcel) for parcel in batch]
        outcomes: list[Outcome] = [None] * len(batch)
        numbers = list(range(len(batch)))
        failures = 0
        while numbers:
            try:
                sent = await queue_delivery.send(self._block, queue, arn, [entries[number] for number in numbers])
            except Unavailable as unavailable:
                failures += 1
                pause = retries.MANAGED_BY_AWS.delay(failures)
                if pause is None:
                    sent = [Undeliverable(str(unavailable), permanent=True)] * len(numbers)
                else:
                    await back_off(self._block, pause)
                    await self._lease.hold()
                    # Much may have happened in the meantime: who has left gets nothing.
                    staying = await self._block.store.transact(lambda tx: self._staying(tx, batch))
                    numbers = [number for number in numbers if staying[number]]
                    continue
            else:
                direct.WAY.get(self._block).open = True
            for number, outcome in zip(numbers, sent, strict=True):
                outcomes[number] = outcome
            break
        return outcomes

    async def _entry(self, queue: Queue, parcel: _Parcel) -> queue_delivery.Entry:
        subscribed = parcel.recipient.subscription
        signature = await outward.signature(self._block, parcel.topic, subscribed, parcel.message)
        return queue_delivery.entry(queue, parcel.message, subscribed, self._block.cloud.config.endpoint, signature)

    async def _staying(self, tx: Transaction, batch: list[_Parcel]) -> list[bool]:
        """Return which messages are for subscriptions that are still there."""
        return [
            await subscription.by_id(tx, parcel.topic, parcel.recipient.subscription.id) is not None for parcel in batch
        ]


def _sorted_out(message: Message, recipients: list[Recipient]) -> tuple[list[Recipient], list[Rejection]]:
    """Return those of the recipients who want a message, and why others do not."""
    wanted: list[Recipient] = []
    rejections: list[Rejection] = []
    for recipient in recipients:
        rejection = recipient.rejection(message)
        if rejection is None:
            wanted.append(recipient)
        else:
            rejections.append(rejection)
    return wanted, rejections


def _parts(planned: list[_Planned]) -> Iterator[list[_Planned]]:
    """Yield messages together that are for so many recipients as one transaction may well write down."""
    part: list[_Planned] = []
    count = 0
    for each in planned:
        if part and count + len(each.wanted) > _LANES:
            yield part
            part, count = [], 0
        part.append(each)
        count += len(each.wanted)
    if part:
        yield part


async def put_off(
    tx: Transaction, topic: Topic, recipient: Recipient, message: Message, failure: Undeliverable, now: int
) -> None:
    """Put a delivery that has failed for the first time into the backlog, unless that was all, or nobody is left."""
    if await subscription.by_id(tx, topic, recipient.subscription.id) is None:
        return
    waiting = retries.after_failure(topic, recipient.subscription, Waiting(message.id, now), failure, now)
    if waiting is not None:
        await Lane(topic, recipient.subscription.arn).add(tx, message, waiting)
