"""The one source of time, so that a test can move it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Seconds since the epoch (UTC), and timers that follow them."""

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once `now()` has reached `when`; return a function that cancels it."""
        return asyncio.get_running_loop().call_later(max(0.0, when - self.now()), callback).cancel
