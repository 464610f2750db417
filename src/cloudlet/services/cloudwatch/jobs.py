"""What CloudWatch does by itself: it evaluates alarms, acts for them, tells of them, and keeps its data in order."""

from __future__ import annotations

from cloudlet.core.aws import service_events
from cloudlet.core.background import jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudwatch import acting, evaluating, upkeep
from cloudlet.services.cloudwatch.block import service


@service.job
async def watch_act_and_tidy(block: Block) -> None:
    """Do all of it, until the block ends."""
    await jobs.run_leased_jobs(
        block,
        evaluate_alarms=evaluating.evaluate_alarms,
        act=acting.act,
        tell_of_events=service_events.tell,
        tidy=upkeep.keep_in_order,
    )
