"""What is kept in memory of the committed state: single rows, and stretches of them."""

from __future__ import annotations

from typing import Final

from cloudlet.store.optimistic import WriteSet
from cloudlet.store.range_cache import RangeCache
from cloudlet.store.recent import ABSENT, LruCache

_ENTRIES: Final = 8192
_VALUE_BYTES: Final = 1024


class CommittedCache:
    """Bounded; right as long as it is told of every commit."""

    __slots__ = ("rows", "stretches")

    def __init__(self) -> None:
        self.rows = LruCache(_ENTRIES)
        self.stretches = RangeCache()

    def learn(self, key: bytes, value: bytes | None) -> None:
        """Keep a row that was read."""
        if value is None or len(value) <= _VALUE_BYTES:
            self.rows.add(key, value)

    def note(self, commit: WriteSet) -> None:
        """Bring what is kept in line with a commit."""
        rows, stretches = self.rows, self.stretches
        for begin, end in commit.cleared:
            rows.clear()
            stretches.clear(begin, end)
        for key, value in commit.writes.items():
            if value is None:
                rows.update(key, None)
                stretches.delete(key)
            else:
                if len(value) <= _VALUE_BYTES:
                    rows.add(key, value)
                else:
                    rows.update(key, ABSENT)
                stretches.put(key, value)

    def forget(self) -> None:
        """Drop everything."""
        self.rows.clear()
        self.stretches.forget()
