"""Direct delivery: while the publisher waits, the message goes straight to the queues, and SNS itself writes nothing.

A queue's acceptance is durable, so a publish may be acknowledged once all queues have accepted. What arrives for one
queue within a turn of the event loop goes there in one batch.
"""

from __future__ import annotations

import asyncio
from typing import Final

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.sns import queue_delivery
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.plan import Recipient
from cloudlet.services.sns.queue_delivery import BATCH, Entry, Outcome, Queue, Unavailable
from cloudlet.services.sns.signing import Signature
from cloudlet.store.eager import OneShotEvent, spawn

_PATIENCE_SECONDS: Final = 1.0
"""For so long publishers wait for a queue; then the message is kept here, and they have their answers."""

Pair = tuple[Message, Recipient]

_LATE: Final = Unavailable("no answer in time")


class _Batch:
    """What goes to a queue together, and who waits for it."""

    __slots__ = ("entries", "outcomes", "settled")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.outcomes: list[Outcome | Unavailable] | None = None
        """What became of each entry, as far as publishers are told: what comes too late is of no interest to them."""
        self.settled = OneShotEvent()

    def settle(self, outcomes: list[Outcome | Unavailable]) -> None:
        """Tell those who wait, unless they have been told."""
        if self.outcomes is None:
            self.outcomes = outcomes
            self.settled.set()


class DirectDelivery:
    """The way of one block to SQS."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._gathering: dict[tuple[Queue, str], _Batch] = {}
        self.open = True
        """False from when SQS was unavailable or slow until it has accepted something again."""

    async def deliver(
        self, pairs: list[Pair], signatures: dict[str, Signature], *, alone: bool
    ) -> list[Outcome | Unavailable]:
        """Deliver messages to queues; return what became of each. Unavailable is also who has not answered in time.

        `signatures` are by the messages' ids. `alone`: all are for one queue.
        """
        places = [self._enqueue(message, recipient, signatures.get(message.id), alone) for message, recipient in pairs]
        for batch, _ in places:
            await batch.settled
        return [_LATE if batch.outcomes is None else batch.outcomes[number] for batch, number in places]

    def _enqueue(
        self, message: Message, recipient: Recipient, signature: Signature | None, alone: bool
    ) -> tuple[_Batch, int]:
        """Add a message to what goes to a queue next; return where it is."""
        queue = recipient.queue
        assert queue is not None  # noqa: S101 - for the type checker: pairs are of queues
        endpoint = self._block.cloud.config.endpoint
        made = queue_delivery.entry(queue, message, recipient.subscription, endpoint, signature, alone=alone)
        lane = (queue, message.topic)
        batch = self._gathering.get(lane)
        if batch is None or len(batch.entries) == BATCH:
            batch = self._gathering[lane] = _Batch()
            spawn(self._send(lane, batch))
        batch.entries.append(made)
        return batch, len(batch.entries) - 1

    async def _send(self, lane: tuple[Queue, str], batch: _Batch) -> None:
        """Send what has come by now for a queue."""
        if self._gathering.get(lane) is batch:
            del self._gathering[lane]
        timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._give_up, batch)
        count = len(batch.entries)
        try:
            outcomes = await queue_delivery.send(self._block, *lane, batch.entries)
        except Unavailable as unavailable:
            self.open = False
            batch.settle([unavailable] * count)
        except BaseException as error:
            batch.settle([Unavailable(repr(error))] * count)
            raise
        else:
            self.open = True
            batch.settle([*outcomes])
        finally:
            timer.cancel()

    def _give_up(self, batch: _Batch) -> None:
        """Let publishers wait no longer; what they have sent may be accepted all the same."""
        self.open = False
        batch.settle([_LATE] * len(batch.entries))


WAY: Final = PerBlock(DirectDelivery)
"""The block's way to SQS."""
