"""Pauses between attempts that fail, each longer than the one before."""

from __future__ import annotations

import asyncio

from cloudlet.core.block import Block
from cloudlet.core.moments import first
from cloudlet.core.retrying import pause

_LONGEST_SECONDS = 60.0


class Backoff:
    """Counts attempts that failed one after the other."""

    def __init__(self, block: Block, stopping: asyncio.Event) -> None:
        self._block = block
        self._stopping = stopping
        self._failed = 0

    def succeed(self) -> None:
        self._failed = 0

    async def wait(self) -> None:
        """Wait after an attempt that failed, by the cloud's clock, or until the pipe stops."""
        self._failed += 1
        seconds = min(pause(self._failed), _LONGEST_SECONDS)
        await until(self._block, self._stopping, self._block.clock.now() + seconds)


async def until(block: Block, stopping: asyncio.Event, when: float) -> None:
    """Wait for a moment (seconds since the epoch), or until the pipe stops."""
    over = asyncio.Event()
    stopped = asyncio.ensure_future(stopping.wait())
    stopped.add_done_callback(lambda _: over.set())
    try:
        await first(block, over, when)
    finally:
        stopped.cancel()


async def unless(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so many seconds that the cloud's clock does not know, or until the pipe stops."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass
