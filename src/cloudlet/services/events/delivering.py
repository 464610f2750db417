"""Works off the outbox, and tries again what fails. User guide, "How EventBridge retries delivering events"."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Arn, Transaction, lanes
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.core.moments import first, notified
from cloudlet.services.events import outbox, target
from cloudlet.services.events.attempting import attempt
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.events.target import BATCH

_AT_ONCE: Final = 10 * BATCH


async def deliver(block: Block) -> None:
    """Deliver what is in the outbox, until the block ends."""
    async with Lease(block) as lease:
        await lanes.work_off(block, outbox.TOPIC, outbox.lanes, lambda lane: _work_off(block, lease, lane))


async def _work_off(block: Block, lease: Lease, lane: Lane) -> None:
    """Deliver all that waits in a lane."""
    # An endpoint may take its time, or be sent little a second: what is under way there may come again after a crash.
    at_once = BATCH if target.is_http(Arn.parse(lane.target)) else _AT_ONCE
    async with notified(block, lane.rows.prefix) as more:
        while True:
            more.clear()
            # Another process may have delivered what was read before.
            async with lease.during():
                waiting = await block.store.transact(lambda tx: outbox.first(tx, lane, at_once))
                if not waiting:
                    return
                later = waiting[0].due / 1000
                due = [each for each in waiting if each.due <= block.clock.now() * 1000]
                # Very many lanes may wait at once, with large events.
                del waiting
                if due:
                    await _deliver(block, lane, due)
                    continue
            await first(block, more, later)


async def _deliver(block: Block, lane: Lane, due: list[Delivery]) -> None:
    """Try deliveries that are due, and write down what became of them."""
    following = await attempt(block, lane, due)

    async def settle(tx: Transaction) -> None:
        for delivery, after in zip(due, following, strict=True):
            outbox.remove(tx, delivery)
            if after is not None:
                outbox.save(tx, after)

    await block.store.transact(settle)
