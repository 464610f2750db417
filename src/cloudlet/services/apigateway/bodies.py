"""The bodies of requests: whole, and not too much of them in memory at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cloudlet.core.background.fair_semaphore import decrement
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.outward import LARGEST_BYTES

_MOST_BYTES = 256 << 20
"""So much of all large bodies is held, half of it for one account's APIs; the clients of more are held back."""
_PATIENCE_SECONDS = 15.0
"""So long a request waits for room: those that have come in part may wait for one another."""


class _Room:
    """What is held of bodies that come in parts: by what has come of each, so that who sends slowly takes little."""

    def __init__(self) -> None:
        self._used = 0
        self._used_by: Counter[str] = Counter()
        self._freed = asyncio.Event()

    async def take(self, account: str, size: int) -> None:
        """Wait until there is room. Raises Refused where there is none for long."""
        if not self._has(account, size):
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._until(account, size)
            except TimeoutError:
                reason = "there is no room for the body"
                raise Refused(429, "Too Many Requests", "THROTTLED", reason=reason) from None
        self._used += size
        self._used_by[account] += size

    def _has(self, account: str, size: int) -> bool:
        return self._used + size <= _MOST_BYTES and self._used_by[account] + size <= _MOST_BYTES // 2

    async def _until(self, account: str, size: int) -> None:
        while not self._has(account, size):
            self._freed.clear()
            await self._freed.wait()

    def give_back(self, account: str, size: int) -> None:
        self._used -= size
        decrement(self._used_by, account, size)
        self._freed.set()


_ROOMS: PerBlock[_Room] = PerBlock(lambda _: _Room())


@asynccontextmanager
async def read(block: Block, account: str, visit: DataPlaneRequest) -> AsyncIterator[bytes]:
    """Give the body of a request to an account's API, whose it is from then on. Raises Refused for too large a one."""
    body = visit.request.body
    if isinstance(body, bytes):
        yield body
        return
    room = _ROOMS.get(block)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in body:
            if size + len(part) > LARGEST_BYTES:
                reason = "the body is too large"
                raise Refused(413, "Request Entity Too Large", "REQUEST_TOO_LARGE", reason=reason)
            await room.take(account, len(part))
            size += len(part)
            parts.append(part)
        # Whoever looks at the signature needs it whole.
        visit.request.body = whole = b"".join(parts)
        parts.clear()
        yield whole
    finally:
        room.give_back(account, size)
