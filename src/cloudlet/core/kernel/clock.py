"""The one source of time, which can be moved: a test of a one-day schedule takes a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch (UTC), and timers that follow them. Used from one event loop."""

    def now(self) -> float:
        """Return the time in seconds since the epoch."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once `now()` has reached `when`; return a function that cancels it."""
