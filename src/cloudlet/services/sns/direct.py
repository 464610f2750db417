"""Direct delivery: while the publisher waits, the message goes straight to the queues, and SNS itself writes nothing.

A queue's acceptance is durable, so a publish may be acknowledged once all queues have accepted. What arrives for one
queue within a turn of the event loop goes there in one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cloudlet.core.attached import Attached
from cloudlet.core.block import Block
from cloudlet.services.sns import queue_delivery
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.plan import Recipient
from cloudlet.services.sns.queue_delivery import BATCH, Entry, Outcome, Queue, Unavailable
from cloudlet.store.eager import spawn

_PATIENCE_SECONDS = 1.0
"""For so long a publisher waits for queues; then the message is kept here, and he has his answer."""

Pair = tuple[Message, Recipient]
_Settle = Callable[["Outcome | Unavailable"], None]

_LATE = Unavailable("no answer in time")


class DirectDelivery:
    """The way of one block to SQS."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._lanes: dict[tuple[Queue, str], list[tuple[Entry, _Settle]]] = {}
        self.open = True
        """False from when SQS was unavailable or slow until it has accepted something again."""

    async def deliver(self, pairs: list[Pair]) -> list[Outcome | Unavailable]:
        """Deliver messages to queues; return what became of each. Unavailable is also who has not answered in time."""
        attempt = _Attempt(len(pairs))
        endpoint = self._block.cloud.config.endpoint
        for number, (message, recipient) in enumerate(pairs):
            queue = recipient.queue
            assert queue is not None  # noqa: S101 - for the type checker: pairs are of queues
            made = queue_delivery.entry(queue, message, recipient.subscription, endpoint)
            self._enqueue(queue, message.topic, made, attempt.settling(number))
        outcomes = await attempt.outcomes()
        if _LATE in outcomes:
            self.open = False
        return outcomes

    def _enqueue(self, queue: Queue, topic: str, entry: Entry, settle: _Settle) -> None:
        lane = self._lanes.get((queue, topic))
        if lane is None:
            lane = self._lanes[queue, topic] = []
            spawn(self._send(queue, topic))
        lane.append((entry, settle))

    async def _send(self, queue: Queue, topic: str) -> None:
        """Send what has come by now for a queue."""
        lane = self._lanes.pop((queue, topic))
        for start in range(BATCH, len(lane), BATCH):
            spawn(self._send_batch(queue, topic, lane[start : start + BATCH]))
        await self._send_batch(queue, topic, lane[:BATCH])

    async def _send_batch(self, queue: Queue, topic: str, batch: list[tuple[Entry, _Settle]]) -> None:
        try:
            outcomes = await queue_delivery.send(self._block, queue, topic, [entry for entry, _ in batch])
        except Unavailable as unavailable:
            self.open = False
            for _, settle in batch:
                settle(unavailable)
        except BaseException as error:
            for _, settle in batch:
                settle(Unavailable(repr(error)))
            raise
        else:
            self.open = True
            for (_, settle), outcome in zip(batch, outcomes, strict=True):
                settle(outcome)


class _Attempt:
    """Some deliveries that a publisher waits for."""

    __slots__ = ("_missing", "_outcomes", "_over", "_timer")

    def __init__(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        self._missing = count
        self._outcomes: list[Outcome | Unavailable] = [_LATE] * count
        self._over: asyncio.Future[None] = loop.create_future()
        self._timer = loop.call_later(_PATIENCE_SECONDS, self._end)

    def settling(self, number: int) -> _Settle:
        def settle(outcome: Outcome | Unavailable) -> None:
            self._outcomes[number] = outcome
            self._missing -= 1
            if not self._missing:
                self._end()

        return settle

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    async def outcomes(self) -> list[Outcome | Unavailable]:
        """Return what is known of each delivery once all are settled, or patience is at its end."""
        try:
            await self._over
        finally:
            self._timer.cancel()
        # A copy: what comes later is of no interest to anybody.
        return list(self._outcomes)


WAY = Attached(DirectDelivery)
"""The block's way to SQS."""
