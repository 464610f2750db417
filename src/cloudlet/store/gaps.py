"""Which stretches of the keyspace are known to be empty.

A queue deletes at its head, and in a log-structured tree deleted keys stay as tombstones until they are compacted:
each look for the first message would walk over all of them again. The engine sees every write, so it can
remember exactly where it found nothing, and starts the next scan behind that.
"""

from __future__ import annotations

from bisect import bisect_right


class Gaps:
    """Disjoint intervals [start, end) without a live key. It may forget (it is bounded); it is never wrong."""

    __slots__ = ("_ends", "_limit", "_starts")

    def __init__(self, limit: int = 4096) -> None:
        self._starts: list[bytes] = []
        self._ends: list[bytes] = []
        self._limit = limit

    def skip(self, key: bytes) -> bytes:
        """Return the first key at or after `key` that may be alive."""
        at = bisect_right(self._starts, key) - 1
        if at >= 0 and key < self._ends[at]:
            return self._ends[at]
        return key

    def learn(self, begin: bytes, end: bytes) -> None:
        """Note that no key with begin <= key < end is alive."""
        starts, ends = self._starts, self._ends
        at = bisect_right(starts, begin) - 1
        if at >= 0 and begin <= ends[at]:
            if end <= ends[at]:
                return
            begin = starts[at]
        else:
            at += 1
        last = at
        while last < len(starts) and starts[last] <= end:
            end = max(end, ends[last])
            last += 1
        starts[at:last] = [begin]
        ends[at:last] = [end]
        if len(starts) > self._limit:
            self.forget()

    def put(self, key: bytes) -> None:
        """Note that `key` is alive now."""
        at = bisect_right(self._starts, key) - 1
        if at >= 0 and key < self._ends[at]:
            if self._starts[at] == key:
                del self._starts[at], self._ends[at]
            else:
                self._ends[at] = key

    def delete(self, key: bytes) -> None:
        """Note that `key` is gone; only of use where a gap ends at it."""
        at = bisect_right(self._starts, key) - 1
        if at >= 0 and self._ends[at] == key:
            self.learn(self._starts[at], key + b"\x00")

    def forget(self) -> None:
        """Drop everything known."""
        self._starts.clear()
        self._ends.clear()
