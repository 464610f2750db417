"""A bounded cache that keeps what was used recently."""

from __future__ import annotations

from typing import Any, Final

ABSENT: Final[Any] = bytes(bytearray(b"absent"))
"""Stands for "not in the cache", where None is a value; bytes, as the values are, but told by its identity."""


class LruCache:
    """Two generations: once the young one is full, the old one is dropped and the young one takes its place.

    So nothing is ever searched for what to evict, and what is in use moves back to the young generation.
    """

    __slots__ = ("_limit", "_old", "_young")

    def __init__(self, limit: int) -> None:
        self._limit = limit // 2
        self._young: dict[Any, Any] = {}
        self._old: dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        """Return the value of a key, or ABSENT."""
        value = self._young.get(key, ABSENT)
        if value is ABSENT and self._old:
            value = self._old.pop(key, ABSENT)
            if value is not ABSENT:
                self.add(key, value)
        return value

    def add(self, key: Any, value: Any) -> None:
        """Keep a value."""
        if len(self._young) >= self._limit:
            self._old = self._young
            self._young = {}
        self._young[key] = value

    def update(self, key: Any, value: Any) -> None:
        """Change the value of a key that is kept; with ABSENT, forget it."""
        if value is ABSENT:
            # The old generation may have what was the value before the young one got another.
            self._young.pop(key, None)
            self._old.pop(key, None)
        elif key in self._young:
            self._young[key] = value
        elif key in self._old:
            self._old[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young.clear()
        self._old.clear()
