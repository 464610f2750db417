"""Room for what a job has under way: what takes long gives its place to another, so that it holds up nobody else."""

from __future__ import annotations

import asyncio

_SLOW_SECONDS = 1.0
_SLOW_AT_ONCE = 2_000
"""So many go on beside; what takes long beyond that keeps its place."""


class Places:
    """So many places at once. `changed` is set whenever one becomes free."""

    def __init__(self, count: int, changed: asyncio.Event) -> None:
        self._count = count
        self._changed = changed
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._slow: set[str] = set()

    def __contains__(self, id: str) -> bool:
        return id in self._timers

    def __len__(self) -> int:
        """How much is under way, also what has given its place away."""
        return len(self._timers)

    @property
    def free(self) -> int:
        """How many places there are now."""
        return self._count - len(self._timers) + len(self._slow)

    def take(self, id: str) -> None:
        """Take a place for something, until it leaves, or for a second."""
        self._timers[id] = asyncio.get_running_loop().call_later(_SLOW_SECONDS, self._give_away, id)

    def leave(self, id: str) -> None:
        """Note that something is no longer under way."""
        self._timers.pop(id).cancel()
        self._slow.discard(id)
        self._changed.set()

    def _give_away(self, id: str) -> None:
        if len(self._slow) < _SLOW_AT_ONCE:
            self._slow.add(id)
            self._changed.set()
