"""Where a message stands in a standard queue: numbers that grow with time.

63 bits: microseconds since the epoch, then 12 bits that tell writers apart. They strictly grow within a process, unless
the clock is set back by more than a second.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core.kernel.ids import random_bytes

_WRITER_BITS: Final = 12
_WRITERS: Final = 1 << _WRITER_BITS
LEAD_MILLIS: Final = 1000
"""Numbers are ahead of the clock by no more than this."""


class Sequence:
    """Gives out the numbers."""

    __slots__ = ("_last", "_writer")

    def __init__(self) -> None:
        self._last = 0
        self._writer = int.from_bytes(random_bytes(2), "big") % _WRITERS

    def next(self, now: float) -> int:
        """Return a number for a message that arrives at `now` (seconds since the epoch)."""
        micros = int(now * 1_000_000)
        if micros <= self._last:
            if micros < self._last - LEAD_MILLIS * 1000:
                # The clock was set back: follow it, but as another writer, so that no number comes twice.
                self._writer = (self._writer + 1) % _WRITERS
            else:
                micros = self._last + 1
        self._last = micros
        return micros << _WRITER_BITS | self._writer


def first_of(millis: int) -> int:
    """Return the least number that a message of this time (milliseconds since the epoch) or later can have."""
    return max(millis, 0) * 1000 << _WRITER_BITS
