"""The cache of a stage: answers of integrations, kept in memory for as long as the method's settings say.

Developer guide, "Cache settings for REST APIs in API Gateway".
"""

from __future__ import annotations

import weakref
from typing import NamedTuple
from weakref import WeakValueDictionary

_MOST_BYTES = 16 << 20
"""Of one stage."""
_MOST_OF_ALL_BYTES = 128 << 20
"""Of all stages of a process; half of it for those of one account."""
_LARGEST_ENTRY = 1 << 20
_OVERHEAD = 500

Key = tuple[str, ...]


class Entry(NamedTuple):
    """An answer that is kept until `ends`, in seconds since the epoch."""

    ends: float
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _Room:
    """How many bytes are held."""

    __slots__ = ("__weakref__", "used")

    def __init__(self) -> None:
        self.used = 0


_all = _Room()
_of_accounts: WeakValueDictionary[str, _Room] = WeakValueDictionary()
"""Those that have caches."""


def _give_back(room: _Room, of_account: _Room) -> None:
    _all.used -= room.used
    of_account.used -= room.used


class Cache:
    """What a stage has answered. The oldest go where there is no room."""

    def __init__(self, account: str) -> None:
        self._entries: dict[Key, Entry] = {}
        self._room = _Room()
        self._of_account = _of_accounts.setdefault(account, _Room())
        # A stage that is compiled anew begins with an empty cache; what the one before it held is free then.
        weakref.finalize(self, _give_back, self._room, self._of_account)

    def get(self, key: Key, now: float) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.ends <= now:
            self.drop(key)
            return None
        return entry

    def keep(self, key: Key, entry: Entry) -> None:
        """Keep an answer, unless it is too large, or others have all the room."""
        size = _size(key, entry)
        if size > _LARGEST_ENTRY:
            return
        self.drop(key)
        while self._entries and (self._room.used + size > _MOST_BYTES or not self._has(size)):
            self.drop(next(iter(self._entries)))
        if self._has(size):
            self._entries[key] = entry
            self._count(size)

    def _has(self, size: int) -> bool:
        """Whether all stages, and those of the account, leave as much room."""
        of_account = self._of_account.used + size <= _MOST_OF_ALL_BYTES // 2
        return of_account and _all.used + size <= _MOST_OF_ALL_BYTES

    def drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._count(-_size(key, entry))

    def _count(self, size: int) -> None:
        self._room.used += size
        self._of_account.used += size
        _all.used += size


def _size(key: Key, entry: Entry) -> int:
    headers = sum(len(name) + len(value) for name, value in entry.headers)
    return _OVERHEAD + len(entry.body) + headers + sum(len(each) for each in key)
