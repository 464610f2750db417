"""Where a message stands in a standard queue: numbers that grow with time.

63 bits: microseconds since the epoch, then 12 bits that tell writers apart. They strictly grow within a process as
long as the clock stands still or is corrected, so that no two messages ever share one.
"""

from __future__ import annotations

from cloudlet.core.ids import random_bytes

_WRITER_BITS = 12
_CORRECTION_MICROS = 60_000_000
"""A clock that goes back by more was set back on purpose (a test moves it): follow it, as another writer."""


class Sequence:
    """Gives out the numbers."""

    __slots__ = ("_last", "_writer")

    def __init__(self) -> None:
        self._last = 0
        self._writer = 0

    def next(self, now: float) -> int:
        """Return a number for a message that arrives at `now` (seconds since the epoch)."""
        micros = int(now * 1_000_000)
        if micros <= self._last:
            if micros < self._last - _CORRECTION_MICROS:
                self._writer = _random_writer()
            else:
                micros = self._last + 1
        elif not self._last:
            self._writer = _random_writer()
        self._last = micros
        return micros << _WRITER_BITS | self._writer


def _random_writer() -> int:
    return int.from_bytes(random_bytes(2), "big") >> (16 - _WRITER_BITS)


def first_of(millis: int) -> int:
    """Return the least number that a message of this time (milliseconds since the epoch) or later can have."""
    return max(millis, 0) * 1000 << _WRITER_BITS
