"""Pipes that are read by the event loop, without a thread that waits for them."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType


class PipeReader:
    """The reading end of a pipe, closed at the end of a `with` block. Used from one event loop."""

    def __init__(self, pipe: int) -> None:
        """Take a descriptor."""
        self._pipe = pipe
        os.set_blocking(pipe, False)

    async def read(self, size: int) -> bytes:
        """Return up to so many bytes once there are any; none where nothing more comes. Raises OSError."""
        while True:
            try:
                return os.read(self._pipe, size)
            except BlockingIOError:
                await self._wait()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._pipe, _set, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._pipe)

    def __enter__(self) -> PipeReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._pipe)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
