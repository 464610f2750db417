"""Direct delivery: while who puts events waits, they go straight to queues, and nothing is written down here.

A queue's acceptance is durable, so PutEvents may answer then. What comes for one queue within a turn of the event loop
goes there in one batch. What fails, or takes long, is left to the outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.events import attempting, outbox
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.events.matching import Quick
from cloudlet.services.events.target import BATCH
from cloudlet.store.eager import OneShotEvent, spawn

_PATIENCE_SECONDS: Final = 1.0
"""For so long who puts events waits for queues."""
_SLOW_SECONDS: Final = 5.0
"""For so long nobody waits for queues after one was slow."""


class _Batch:
    """Deliveries of a lane that go together."""

    __slots__ = ("deliveries", "is_late", "sending", "settled")

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.is_late = False
        """Whether they are the outbox's, since they took long."""
        self.sending: asyncio.Task[None] | None = None
        self.settled = OneShotEvent()
        """Given once each delivery is with its queue, or written down."""


class DirectDelivery:
    """The way of one block to queues."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._gathering: dict[Lane, _Batch] = {}
        self._closed_until = 0.0
        """By the event loop's time."""

    @property
    def is_open(self) -> bool:
        """Whether to wait for queues."""
        return asyncio.get_running_loop().time() >= self._closed_until

    async def deliver(self, quick: Quick) -> None:
        """Return once deliveries to queues are durable: there, or in the outbox."""
        for batch in [batch for lane, deliveries in quick.items() for batch in self._add(lane, deliveries)]:
            await batch.settled

    def _add(self, lane: Lane, deliveries: list[Delivery]) -> Iterator[_Batch]:
        """Add deliveries to what gathers for their lane; yield the batches that they go in."""
        while deliveries:
            batch = self._gathering.get(lane)
            if batch is None or len(batch.deliveries) == BATCH:
                batch = self._gathering[lane] = _Batch()
                batch.sending = spawn(self._send(lane, batch))
            room = BATCH - len(batch.deliveries)
            batch.deliveries += deliveries[:room]
            deliveries = deliveries[room:]
            yield batch

    async def _send(self, lane: Lane, batch: _Batch) -> None:
        """Send what has come by now, and write down what is left to do."""
        if self._gathering.get(lane) is batch:
            del self._gathering[lane]
        timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._give_up, batch)
        try:
            afters = await attempting.attempt(self._block, lane, batch.deliveries)
            timer.cancel()
            if not batch.is_late:
                await self._keep(batch, [each for each in afters if each is not None])
        except BaseException as error:
            timer.cancel()
            if not batch.is_late:
                batch.settled.set(error)
            raise

    def _give_up(self, batch: _Batch) -> None:
        """Leave deliveries that take long to the outbox; they may be accepted all the same, and come twice then."""
        batch.is_late = True
        self._closed_until = asyncio.get_running_loop().time() + _SLOW_SECONDS
        if batch.sending is not None:
            batch.sending.cancel()
        spawn(self._keep(batch, batch.deliveries))

    async def _keep(self, batch: _Batch, deliveries: list[Delivery]) -> None:
        """Write down what is left of a batch, which is settled then."""

        async def keep(tx: Transaction) -> None:
            for delivery in deliveries:
                outbox.save(tx, delivery)

        try:
            if deliveries:
                await self._block.store.transact(keep)
        except BaseException as error:
            batch.settled.set(error)
            raise
        batch.settled.set()


WAY: Final = PerBlock(DirectDelivery)
"""The block's way to queues."""
