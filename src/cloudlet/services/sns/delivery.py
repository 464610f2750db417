"""The jobs that deliver what was published and is not yet where it belongs."""

from __future__ import annotations

from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.sns.fifo_delivery import FifoDelivery
from cloudlet.services.sns.lanes import Lanes
from cloudlet.services.sns.outbox_delivery import OutboxDelivery


async def deliver(block: Block) -> None:
    """Deliver for as long as the block runs."""
    await run_leased_jobs(
        block,
        deliver_to_queues=lambda block, lease: OutboxDelivery(block, lease, "queues").run(),
        deliver_to_others=lambda block, lease: OutboxDelivery(block, lease, "others").run(),
        deliver_in_lanes=lambda block, lease: Lanes(block, lease, failing=False).run(),
        try_again_in_lanes=lambda block, lease: Lanes(block, lease, failing=True).run(),
        deliver_in_order=lambda block, lease: FifoDelivery(block, lease).run(),
    )
