"""Computing a hash of what arrives, in a thread that is never kept waiting for the disk or for the event loop."""

from __future__ import annotations

import asyncio
from collections import deque

from cloudlet.services.s3.object_data.checksums import Hash
from cloudlet.store.blobs import in_thread

_AHEAD_BYTES = 2 << 20
"""So much may wait to be hashed before whoever brings more has to wait."""


class Hashing:
    """A hash that is computed behind the event loop's back. Used from one event loop."""

    def __init__(self, hashed: Hash) -> None:
        self._hash = hashed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._work: asyncio.Task[None] | None = None
        self._progress: asyncio.Future[None] | None = None

    async def update(self, data: bytes) -> None:
        """Have more hashed; returns while that goes on, unless too much waits already."""
        self._waiting.append(data)
        self._size += len(data)
        if self._work is None or self._work.done():
            await self.settle()
            self._work = asyncio.create_task(self._hash_all())
        while self._size > _AHEAD_BYTES and not self._work.done():
            await self._progressed()

    async def settle(self) -> None:
        """Wait until all is hashed."""
        if self._work is not None:
            await self._work

    async def _hash_all(self) -> None:
        try:
            while self._waiting:
                await in_thread(self._hash_waiting)
        finally:
            self._hashed(0)

    def _hash_waiting(self) -> None:
        """Hash all that waits, also what comes meanwhile. In a thread."""
        while self._waiting:
            data = self._waiting.popleft()
            self._hash.update(data)
            self._loop.call_soon_threadsafe(self._hashed, len(data))

    def _hashed(self, size: int) -> None:
        self._size -= size
        progress, self._progress = self._progress, None
        if progress is not None and not progress.done():
            progress.set_result(None)

    async def _progressed(self) -> None:
        if self._progress is None:
            self._progress = self._loop.create_future()
        await self._progress
