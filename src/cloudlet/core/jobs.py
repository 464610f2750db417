"""What a block does by itself: each job is started again where it fails, and holds up no other one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.core.lease import Lease
from cloudlet.store import StoreError

if TYPE_CHECKING:
    from cloudlet.core.block import Block

log = logging.getLogger("cloudlet.core")

LeasedJob = Callable[["Block", Lease], Awaitable[None]]
"""A job that holds the lease while it works."""

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0


async def keep_running(block: Block, name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run a job until it returns: after a pause it is started again whenever it fails."""
    pause, said = _FIRST_PAUSE_SECONDS, ""
    while True:
        started = block.clock.now()
        try:
            await job()
            return
        except Exception as error:
            reason = _refused_by_store(error)
            if reason is None:
                log.exception("the job %s of %s failed", name, block.service.name)
            elif reason != said:
                # All jobs fail while a database is down, again and again.
                log.warning("the job %s of %s has to wait: %s", name, block.service.name, reason)
            said = reason or ""
        if block.clock.now() - started > _LONGEST_PAUSE_SECONDS:
            pause, said = _FIRST_PAUSE_SECONDS, ""
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def side_by_side(block: Block, **jobs: LeasedJob) -> None:
    """Run jobs, by their names, which share a lease: of several processes on one store, one does them at a time."""
    async with Lease(block) as lease, asyncio.TaskGroup() as group:
        for name, job in jobs.items():
            group.create_task(keep_running(block, name, partial(job, block, lease)))


@asynccontextmanager
async def contained(block: Block, work: str) -> AsyncIterator[None]:
    """Do one work of many, named in the log: where that fails unexpectedly it rests for a while, and others go on.

    What the store refuses is raised: all works fail then.
    """
    try:
        yield
    except Exception as error:
        if _refused_by_store(error) is not None:
            raise
        log.exception("%s failed: %s", block.service.name, work)
        await asyncio.sleep(_LONGEST_PAUSE_SECONDS)


def _refused_by_store(error: Exception) -> str | None:
    """Return what the store said, where that is all that an error tells of."""
    if isinstance(error, ExceptionGroup):
        return _refused_by_store(error.exceptions[0]) if error.split(StoreError)[1] is None else None
    return str(error) if isinstance(error, StoreError) else None
