"""Threads in which queries compute: a few at a time, of which each account has a part at most.

What computes for long gives its turn to others, and shares the processors with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from cloudlet.core.background.fair_semaphore import FairSemaphore

T = TypeVar("T")

MOST_BEGUN: Final = 16
"""Queries that are under way, of which not all compute."""
_AT_ONCE, _AT_ONCE_OF_ACCOUNT = 4, 2
_LONG_SECONDS = 10.0
_executor = ThreadPoolExecutor(2 * MOST_BEGUN, thread_name_prefix="insights")
"""More threads than queries: who is to be stopped does not wait for others."""


async def in_thread(function: Callable[[], T]) -> T:
    """Run what blocks, but not for long."""
    return await asyncio.get_running_loop().run_in_executor(_executor, function)


class Turns:
    """Those of one event loop."""

    def __init__(self) -> None:
        self._places = FairSemaphore(_AT_ONCE, _AT_ONCE_OF_ACCOUNT)

    async def run(self, account: str, function: Callable[[], T]) -> T:
        """Run what a query of an account computes, once it is its turn."""
        async with self._places.hold(account, seconds=_LONG_SECONDS):
            return await in_thread(function)
