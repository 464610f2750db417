"""Waiting, while a poller may be stopped."""

from __future__ import annotations

import asyncio

from cloudlet.core.background.retrying import compute_back_off
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off

_LONGEST_SECONDS = 60.0


class Stopped(Exception):
    """The poller stops while something has not passed."""


class Backoff:
    """Longer and longer pauses after attempts that fail."""

    def __init__(self, block: Block, stopping: asyncio.Event) -> None:
        self._block = block
        self._stopping = stopping
        self._failed = 0

    def succeed(self) -> None:
        """Begin anew."""
        self._failed = 0

    async def wait(self) -> None:
        """Wait after an attempt that failed, by the cloud's clock, or until the poller stops."""
        self._failed += 1
        over = asyncio.Event()
        stopped = asyncio.ensure_future(self._stopping.wait())
        stopped.add_done_callback(lambda _: over.set())
        try:
            await back_off(self._block, compute_back_off(self._failed, longest=_LONGEST_SECONDS), over)
        finally:
            stopped.cancel()

    async def insist(self) -> None:
        """Wait before another attempt. Raises Stopped."""
        if not self._stopping.is_set():
            await self.wait()
        if self._stopping.is_set():
            raise Stopped


async def sleep_unless_stopped(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so many seconds that the cloud's clock does not know, or until the poller stops."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass


class BatchingWindow:
    """The time in which a batch gathers: it ends by the cloud's clock, and in real time though that stand."""

    def __init__(self, block: Block, seconds: float) -> None:
        self._block = block
        self._loop = asyncio.get_running_loop()
        self._end = block.clock.now() + seconds
        self._real_end = self._loop.time() + seconds

    @property
    def left(self) -> float:
        """How many seconds of it are left; none, or less than none, where it is over."""
        return min(self._end - self._block.clock.now(), self._real_end - self._loop.time())
