"""What runs the functions of a block."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from cloudlet.core.attached import Attached
from cloudlet.core.block import Block
from cloudlet.engines.sandbox import Sandboxes
from cloudlet.services.lambda_.execution.concurrency import Concurrency
from cloudlet.services.lambda_.execution.pool import Pools
from cloudlet.services.lambda_.execution.subsegments import Subsegments


class Engine:
    """Sandboxes, and the workers in them. Its folder is beside the unpacked packages, whose files it links to."""

    def __init__(self, block: Block) -> None:
        self.concurrency = Concurrency()
        self.subsegments = Subsegments(block)
        self._folder = block.cloud.config.data / "sandboxes" / block.service.name / str(os.getpid())
        self._sandboxes = Sandboxes(block.cloud.config.sandbox, self._folder / "views")
        self.pools = Pools(block, self._sandboxes, self._folder, self.subsegments)

    async def tidy(self) -> None:
        """Remove what processes before this one have left behind."""
        await self._sandboxes.tidy()
        await asyncio.to_thread(_remove_others, self._folder)

    async def close(self) -> None:
        """End all functions."""
        await self.pools.close()
        self.subsegments.close()
        await self._sandboxes.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, True)


ENGINE = Attached(Engine)


async def run(block: Block) -> None:
    """Have it there until the block ends."""
    running = ENGINE.of(block)
    await running.tidy()
    try:
        await asyncio.Event().wait()
    finally:
        await running.close()


def _remove_others(own: Path) -> None:
    for folder in own.parent.glob("*"):
        if folder != own:
            shutil.rmtree(folder, ignore_errors=True)
