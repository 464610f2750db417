"""Places for what is done at once, of which each account holds a part at most, so that others have some, too."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import ExitStack, asynccontextmanager
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


class FairSemaphore:
    """So many places for all, so many for each account. Accounts that wait for one take turns, by one event loop."""

    def __init__(self, places: int, each: int) -> None:
        self._free = places
        self._each = each
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def hold(self, account: str, *, seconds: float | None = None) -> AsyncIterator[None]:
        """Hold a place of an account within the block, once there is one; after so many `seconds` others get it."""
        await self.acquire(account)
        with ExitStack() as held:
            held.callback(self.release, account)
            if seconds is not None:
                timer = asyncio.get_running_loop().call_later(seconds, held.close)
                held.callback(timer.cancel)
            yield

    async def acquire(self, account: str) -> None:
        """Return once a place is held, which is then to be given back."""
        if self._may_take(account):
            self._hold(account)
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._forget(account, place)
            else:
                self.release(account)
            raise

    def release(self, account: str) -> None:
        self._free += 1
        decrement(self._held, account)
        while (next_one := next(filter(self._may_take, self._waiting), None)) is not None:
            waiting = self._waiting.pop(next_one)
            place = waiting.popleft()
            if waiting:
                self._waiting[next_one] = waiting
            # One that was cancelled in this turn of the loop does not know yet.
            if not place.done():
                self._hold(next_one)
                place.set_result(None)
                return

    def _may_take(self, account: str) -> bool:
        return self._free > 0 and self._held[account] < self._each

    def _hold(self, account: str) -> None:
        self._free -= 1
        self._held[account] += 1

    def _forget(self, account: str, place: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(account)
        if waiting is not None and place in waiting:
            waiting.remove(place)
            if not waiting:
                del self._waiting[account]


def decrement(counter: Counter[Key], key: Key, number: int = 1) -> None:
    """Count so many less of a key, which is forgotten once there are none."""
    counter[key] -= number
    if not counter[key]:
        del counter[key]
