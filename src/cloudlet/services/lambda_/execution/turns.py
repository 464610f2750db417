"""Turns: only so many start at once, so that all of them are quick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager


class Turns:
    """Lets so many in at once; who takes long makes room for the next one meanwhile."""

    def __init__(self, most: int, seconds: float) -> None:
        """`seconds`: after so long somebody is no longer counted."""
        self._free = asyncio.Semaphore(most)
        self._seconds = seconds

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """One turn, which begins once there is room."""
        await self._free.acquire()
        leaving = ExitStack()
        leaving.callback(self._free.release)
        late = asyncio.get_running_loop().call_later(self._seconds, leaving.close)
        try:
            yield
        finally:
            late.cancel()
            leaving.close()
