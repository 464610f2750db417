"""The jobs of tasks."""

from __future__ import annotations

import asyncio
import shutil
from typing import Final

from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.ecs import tasks
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.connect_services import PROXIES
from cloudlet.services.ecs.running import connect_measuring, connect_proxies, measuring, pulling
from cloudlet.services.ecs.running.runner import RUNNER

_CLEANED_SECONDS: Final = 1800.0
_KEPT_SECONDS: Final = 3 * 3600.0
"""Images that no task has used for so long are removed, as the agent does."""


@service.job
async def run_tasks(block: Block) -> None:
    """Run tasks, and go on with those that run already, until the block ends."""
    async with Lease(block, "tasks") as lease, lease.during():
        RUNNER.get(block).is_leading = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(tasks.TASKS.run(block))
                group.create_task(PROXIES.run(block))
                group.create_task(_adopt(block))
                group.create_task(_clean(block))
        finally:
            await connect_proxies.close(block)
            await RUNNER.pop(block).close()


async def _adopt(block: Block) -> None:
    """Have all tasks looked at that a process before this one has left."""
    runner = RUNNER.get(block)
    await runner.request_all()
    for folder, key in await asyncio.to_thread(runner.list_folders):
        task = None if key is None else await block.store.transact(lambda tx, key=key: tasks.find(tx, *key))  # type: ignore[misc]
        if task is None:
            await asyncio.to_thread(shutil.rmtree, folder, True)
        elif task.has_stopped:
            runner.request(task.key)


async def _clean(block: Block) -> None:
    while True:
        used: set[str] = set()
        for key in await tasks.list_live(block):
            task = await block.store.transact(lambda tx, key=key: tasks.find(tx, *key))  # type: ignore[misc]
            used |= {each.image_digest for each in task.containers} if task is not None else set()
        await pulling.remove_unused(block, used, _KEPT_SECONDS)
        await back_off(block, _CLEANED_SECONDS)


@service.job
async def forget_tasks(block: Block) -> None:
    """Forget tasks that have stopped, until the block ends."""
    await tasks.forget_stopped(block)


@service.gauge
async def measure_tasks(block: Block) -> None:
    """Measure what tasks take."""
    await measuring.measure(block)


@service.gauge
async def measure_proxies(block: Block) -> None:
    """Measure what proxies of Service Connect lead."""
    runner = RUNNER.get(block)
    for task in connect_proxies.list_proxied(block):
        await connect_measuring.count(runner, task, connect_proxies.get_admin_path(runner, task))
