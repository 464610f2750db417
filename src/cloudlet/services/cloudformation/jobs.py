"""The jobs of CloudFormation, which one process at a time does."""

from __future__ import annotations

import asyncio

from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation import deleted_stacks, stacks
from cloudlet.services.cloudformation.drift.detecting import DETECTIONS
from cloudlet.services.cloudformation.notifying import NOTICES
from cloudlet.services.cloudformation.operations.running import STACKS
from cloudlet.services.cloudformation.scanning.generating import TEMPLATES
from cloudlet.services.cloudformation.scanning.running_scans import SCANS
from cloudlet.services.cloudformation.stack_sets import stack_set_store
from cloudlet.services.cloudformation.stack_sets.running import STACK_SETS


async def run(block: Block) -> None:
    """Carry out operations on stacks and stack sets until the block ends."""
    await run_leased_jobs(
        block,
        reconcile=_reconcile,
        notify=_notify,
        detect=_detect,
        scan=_scan,
        generate=_generate,
        deploy=_deploy,
        expire=_expire,
    )


async def _expire(block: Block, lease: Lease) -> None:
    async with lease.during():
        times, seconds = stack_set_store.get_times(), stack_set_store.KEPT_SECONDS
        await asyncio.gather(
            delete_expired(block, times, seconds, stack_set_store.delete_operation),
            delete_expired(block, stacks.DELETIONS, deleted_stacks.KEPT_SECONDS, deleted_stacks.remove),
        )


async def _reconcile(block: Block, lease: Lease) -> None:
    async with lease.during():
        await STACKS.run(block)


async def _deploy(block: Block, lease: Lease) -> None:
    async with lease.during():
        await STACK_SETS.run(block)


async def _notify(block: Block, lease: Lease) -> None:
    async with lease.during():
        await NOTICES.run(block)


async def _detect(block: Block, lease: Lease) -> None:
    async with lease.during():
        await DETECTIONS.run(block)


async def _scan(block: Block, lease: Lease) -> None:
    async with lease.during():
        await SCANS.run(block)


async def _generate(block: Block, lease: Lease) -> None:
    async with lease.during():
        await TEMPLATES.run(block)
