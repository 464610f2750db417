"""Turns: only so many start at once, so that all of them are quick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from cloudlet.core.shares import Shares


class Turns:
    """Lets so many in at once, half of them of one account; who takes long makes room for the next one meanwhile."""

    def __init__(self, most: int, seconds: float) -> None:
        """`seconds`: after so long somebody is no longer counted."""
        self._free = Shares(most, max(1, most // 2))
        self._seconds = seconds

    @asynccontextmanager
    async def one(self, account: str) -> AsyncIterator[None]:
        """One turn of an account's, which begins once there is room."""
        await self._free.take(account)
        leaving = ExitStack()
        leaving.callback(self._free.give_back, account)
        late = asyncio.get_running_loop().call_later(self._seconds, leaving.close)
        try:
            yield
        finally:
            late.cancel()
            leaving.close()
