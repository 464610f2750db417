"""What CloudWatch does by itself: it evaluates alarms, acts for them, tells of them, and keeps its data in order."""

from __future__ import annotations

import asyncio

from cloudlet.core import service_events
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.services.cloudwatch import acting, evaluating, upkeep
from cloudlet.services.cloudwatch.block import service


@service.job
async def watch_act_and_tidy(block: Block) -> None:
    """Do all of it: of several processes on one store, one does so at a time."""
    async with Lease(block) as lease, asyncio.TaskGroup() as group:
        group.create_task(evaluating.evaluate_alarms(block, lease))
        group.create_task(acting.act(block, lease))
        group.create_task(service_events.tell(block, lease))
        group.create_task(upkeep.keep_in_order(block, lease))
