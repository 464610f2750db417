"""The jobs that deliver what was published and is not yet where it belongs."""

from __future__ import annotations

import asyncio

from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.services.sns.fifo_delivery import FifoDelivery
from cloudlet.services.sns.lanes import Lanes
from cloudlet.services.sns.outbox_delivery import OutboxDelivery


async def deliver(block: Block) -> None:
    """Deliver for as long as the block runs. What fails stops all of it, to be started again as a whole."""
    async with Lease(block) as lease, asyncio.TaskGroup() as group:
        group.create_task(OutboxDelivery(block, lease, "queues").run())
        group.create_task(OutboxDelivery(block, lease, "others").run())
        group.create_task(Lanes(block, lease, failing=False).run())
        group.create_task(Lanes(block, lease, failing=True).run())
        group.create_task(FifoDelivery(block, lease).run())
