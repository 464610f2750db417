"""Works off the outbox, and tries again what fails. User guide, "How EventBridge retries delivering events"."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Arn, Transaction
from cloudlet.core.background import keyed_queues
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.timing import wait_until, watching
from cloudlet.services.events import outbox, target
from cloudlet.services.events.attempting import attempt
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.events.target import BATCH

_AT_ONCE: Final = 10 * BATCH
_LARGE_AT_ONCE: Final = 16
_ROOM: Final = PerBlock(lambda _: FairSemaphore(_LARGE_AT_ONCE, _LARGE_AT_ONCE // 2))
"""For large events in memory: in so many lanes they are under way at a time, in half of these of one account."""


async def deliver(block: Block) -> None:
    """Deliver what is in the outbox, until the block ends."""
    async with Lease(block) as lease:
        await keyed_queues.drain(block, outbox.TOPIC, outbox.lanes, lambda lane: _work_off(block, lease, lane))


async def _work_off(block: Block, lease: Lease, lane: Lane) -> None:
    """Deliver all that waits in a lane."""
    # An endpoint may take its time, or be sent little a second: what is under way there may come again after a crash.
    at_once = BATCH if target.is_http(Arn.parse(lane.target)) else _AT_ONCE
    async with watching(block, lane.rows.prefix) as more:
        while True:
            more.clear()
            # Another process may have delivered what was read before.
            async with lease.during():
                waiting = await block.store.transact(lambda tx: outbox.first(tx, lane, at_once))
                if not waiting:
                    return
                later = waiting[0].due / 1000
                due = _due(block, waiting)
                # Very many lanes may wait at once.
                del waiting
                if due and outbox.are_small(due):
                    await _deliver(block, lane, due)
                    continue
            if due:
                del due
                await _deliver_large(block, lease, lane, at_once)
            else:
                await wait_until(block, more, later)


def _due(block: Block, waiting: list[Delivery]) -> list[Delivery]:
    return [each for each in waiting if each.due <= block.clock.now() * 1000]


async def _deliver_large(block: Block, lease: Lease, lane: Lane, at_once: int) -> None:
    """Try deliveries of a lane that are due and large, as many as may be in memory, once there is room for them."""

    async def taken(tx: Transaction) -> list[Delivery]:
        return await outbox.whole(tx, _due(block, await outbox.first(tx, lane, at_once)))

    async with _ROOM.get(block).hold(Arn.parse(lane.rule).account), lease.during():
        # Another process may have delivered them meanwhile.
        if due := await block.store.transact(taken):
            await _deliver(block, lane, due)


async def _deliver(block: Block, lane: Lane, due: list[Delivery]) -> None:
    """Try deliveries that are due, and write down what became of them."""
    following = await attempt(block, lane, due)

    async def settle(tx: Transaction) -> None:
        for delivery, after in zip(due, following, strict=True):
            await outbox.settle(tx, delivery, after)

    await block.store.transact(settle)
