"""Stretches of the keyspace whose live rows are all known.

A queue deletes at its head, and in a log-structured tree deleted keys stay as tombstones until they are compacted: each
look for the first message would walk over all of them again. The engine sees every write, so it can remember what
is at the places that are scanned, often nothing, and answer from there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from cloudlet.store.interface import Row

# Compiled, what is final is not looked up.
_left: Final = bisect_left
_right: Final = bisect_right
_ROWS: Final = 64
_VALUE_BYTES: Final = 1024
_ASKED: Final = 1024
"""So many beginnings of scans are remembered."""


class _CachedRange:
    """All live rows with start <= key < stop, in order."""

    __slots__ = ("keys", "start", "stop", "values")

    def __init__(self, start: bytes, stop: bytes) -> None:
        self.start = start
        self.stop = stop
        self.keys: list[bytes] = []
        self.values: list[bytes] = []

    def trim(self) -> None:
        """Know no more than so many rows: the stretch ends before the next."""
        if len(self.keys) > _ROWS:
            self.stop = self.keys[_ROWS]
            del self.keys[_ROWS:], self.values[_ROWS:]

    def cut(self, key: bytes, at: int) -> None:
        """End the stretch before `key`, which has the index `at`."""
        self.stop = key
        del self.keys[at:], self.values[at:]


class RangeCache:
    """Disjoint stretches. They may be forgotten (there is a limit); they are never wrong."""

    __slots__ = ("_asked", "_ends", "_limit", "_starts", "_stretches")

    def __init__(self, limit: int = 512) -> None:
        self._asked: set[bytes] = set()
        self._ends: set[bytes] = set()
        self._starts: list[bytes] = []
        self._stretches: list[_CachedRange] = []
        self._limit = limit

    def scan(self, begin: bytes, end: bytes, limit: int) -> tuple[list[Row], bytes]:
        """Return the first rows of a range that are known, and the key from which on nothing is known.

        The range is answered where there are `limit` rows or that key is not below `end`.
        """
        stretch = self._at(begin)
        if stretch is None:
            return [], begin
        keys = stretch.keys
        first = _left(keys, begin) if begin > stretch.start else 0
        last = min(first + limit, len(keys))
        if last > first and keys[last - 1] >= end:
            last = _left(keys, end, first, last)
        values = stretch.values
        return [(keys[at], values[at]) for at in range(first, last)], stretch.stop

    def ends_at(self, key: bytes) -> bool:
        """Whether a stretch or an earlier scan stops right before `key`: a scan from there goes on from it."""
        if key in self._ends:
            return True
        at = _right(self._starts, key) - 1
        return at >= 0 and self._stretches[at].stop == key

    def is_repeated_scan(self, begin: bytes) -> bool:
        """Whether a scan has begun here not long ago: what is scanned once only is not worth remembering."""
        if begin in self._asked:
            return True
        if len(self._asked) >= _ASKED:
            self._asked.clear()
        self._asked.add(begin)
        return False

    def record_scan_end(self, stop: bytes) -> None:
        """Note that a scan that is not remembered went on up to `stop`."""
        if len(self._ends) >= _ASKED:
            self._ends.clear()
        self._ends.add(stop)

    def insert(self, begin: bytes, stop: bytes, rows: list[Row]) -> None:
        """Note that `rows` are all that is alive with begin <= key < stop. Nothing there was known before."""
        at = _right(self._starts, begin) - 1
        if at >= 0 and self._stretches[at].stop == begin:
            stretch = self._stretches[at]
            stretch.stop = stop
        else:
            at += 1
            stretch = _CachedRange(begin, stop)
            self._starts.insert(at, begin)
            self._stretches.insert(at, stretch)
        stretch.keys += [key for key, _ in rows]
        stretch.values += [value for _, value in rows]
        self._join_following(at)
        for index, value in enumerate(stretch.values):
            if len(value) > _VALUE_BYTES:
                stretch.cut(stretch.keys[index], index)
                break
        stretch.trim()
        if stretch.stop <= stretch.start:
            del self._starts[at], self._stretches[at]
        if len(self._starts) > self._limit:
            self.forget()

    def put(self, key: bytes, value: bytes) -> None:
        """Note that a row is alive."""
        stretch = self._at(key)
        if stretch is None:
            return
        keys = stretch.keys
        at = _left(keys, key)
        if len(value) > _VALUE_BYTES:
            stretch.cut(key, at)
            if stretch.stop <= stretch.start:
                self._drop(stretch)
        elif at < len(keys) and keys[at] == key:
            stretch.values[at] = value
        else:
            keys.insert(at, key)
            stretch.values.insert(at, value)
            stretch.trim()

    def delete(self, key: bytes) -> None:
        """Note that a key is gone."""
        stretch = self._at(key)
        if stretch is not None:
            at = _left(stretch.keys, key)
            if at < len(stretch.keys) and stretch.keys[at] == key:
                del stretch.keys[at], stretch.values[at]
            return
        before = _right(self._starts, key) - 1
        if before >= 0 and self._stretches[before].stop == key:
            self._stretches[before].stop = key + b"\x00"
            self._join_following(before)

    def clear(self, begin: bytes, end: bytes) -> None:
        """Note that no key with begin <= key < end is alive."""
        for stretch in self._stretches[max(0, _right(self._starts, begin) - 1) :]:
            if stretch.start >= end:
                break
            low, high = _left(stretch.keys, begin), _left(stretch.keys, end)
            del stretch.keys[low:high], stretch.values[low:high]
        rows, known = self.scan(begin, end, 1)
        if not rows and known < end:
            following = _right(self._starts, known)
            stop = min(end, self._starts[following]) if following < len(self._starts) else end
            if known < stop:
                self.insert(known, stop, [])

    def forget(self) -> None:
        """Drop everything known."""
        self._starts.clear()
        self._stretches.clear()

    def _at(self, key: bytes) -> _CachedRange | None:
        at = _right(self._starts, key) - 1
        if at >= 0:
            stretch = self._stretches[at]
            if key < stretch.stop:
                return stretch
        return None

    def _drop(self, stretch: _CachedRange) -> None:
        at = _left(self._starts, stretch.start)
        del self._starts[at], self._stretches[at]

    def _join_following(self, at: int) -> None:
        """Take in the stretches that begin before this one stops."""
        stretch = self._stretches[at]
        following = at + 1
        while following < len(self._starts) and self._starts[following] <= stretch.stop:
            other = self._stretches[following]
            if other.stop > stretch.stop:
                first = _left(other.keys, stretch.stop)
                stretch.keys += other.keys[first:]
                stretch.values += other.values[first:]
                stretch.stop = other.stop
            del self._starts[following], self._stretches[following]
        stretch.trim()
