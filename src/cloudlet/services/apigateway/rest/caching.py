"""The cache of a stage: answers of integrations, kept in memory for as long as the method's settings say.

Developer guide, "Cache settings for REST APIs in API Gateway".
"""

from __future__ import annotations

from typing import NamedTuple

_MOST_BYTES = 16 << 20
_LARGEST_ENTRY = 1 << 20
_OVERHEAD = 500

Key = tuple[str, ...]


class Entry(NamedTuple):
    """An answer that is kept until `ends`, in seconds since the epoch."""

    ends: float
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Cache:
    """What a stage has answered. The oldest go where there is no room."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._bytes = 0

    def get(self, key: Key, now: float) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.ends <= now:
            self.drop(key)
            return None
        return entry

    def keep(self, key: Key, entry: Entry) -> None:
        """Keep an answer, unless it is too large."""
        size = _size(key, entry)
        if size > _LARGEST_ENTRY:
            return
        self.drop(key)
        while self._bytes + size > _MOST_BYTES:
            self.drop(next(iter(self._entries)))
        self._entries[key] = entry
        self._bytes += size

    def drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry)


def _size(key: Key, entry: Entry) -> int:
    headers = sum(len(name) + len(value) for name, value in entry.headers)
    return _OVERHEAD + len(entry.body) + headers + sum(len(each) for each in key)
