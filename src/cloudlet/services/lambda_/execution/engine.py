"""What runs the functions of a block."""

from __future__ import annotations

import asyncio

from cloudlet.core.host.temporary_folder import TemporaryFolder
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.sandbox import Sandboxes
from cloudlet.services.lambda_.execution.concurrency import Concurrency
from cloudlet.services.lambda_.execution.pool import Pools
from cloudlet.services.lambda_.execution.subsegments import Subsegments


class Engine:
    """Sandboxes, and the workers in them. Its folder is beside the unpacked packages, whose files it links to."""

    def __init__(self, block: Block) -> None:
        self.concurrency = Concurrency()
        self.subsegments = Subsegments(block)
        # Others may run functions with this data folder, too, where the block's data is in a PostgreSQL.
        self._folder = TemporaryFolder(block.cloud.config.data / "sandboxes" / block.service.name)
        self._sandboxes = Sandboxes(block.cloud.config.sandbox, self._folder.path / "views")
        self.pools = Pools(block, self._sandboxes, self._folder.path, self.subsegments)

    async def tidy(self) -> None:
        """End what processes before this one have left behind."""
        await self._sandboxes.tidy()

    async def close(self) -> None:
        """End all functions."""
        await self.pools.close()
        self.subsegments.close()
        await self._sandboxes.close()
        await asyncio.to_thread(self._folder.close)


ENGINE = PerBlock(Engine)


async def run(block: Block) -> None:
    """Have it there until the block ends."""
    running = ENGINE.get(block)
    await running.tidy()
    try:
        await asyncio.Event().wait()
    finally:
        await running.close()
