"""A bounded cache of values that take very different amounts of memory."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.store.recent import ABSENT

__all__ = ["ABSENT", "Weighed"]


class Weighed:
    """Keeps what was used recently, in two generations as `RecentlyUsed` does: each weighs so much at most.

    One value that weighs more than that is a generation of its own.
    """

    __slots__ = ("_limit", "_old", "_weight", "_young")

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._young: dict[Any, tuple[Any, int]] = {}
        self._old: dict[Any, tuple[Any, int]] = {}
        self._weight = 0
        """Of the young generation."""

    def get(self, key: Any) -> Any:
        """Return the value of a key, or ABSENT."""
        found = self._young.get(key)
        if found is not None:
            return found[0]
        found = self._old.pop(key, None)
        if found is None:
            return ABSENT
        self.add(key, found[0], found[1])
        return found[0]

    def add(self, key: Any, value: Any, weight: int) -> None:
        """Keep a value, instead of an earlier one of its key."""
        self._old.pop(key, None)
        earlier = self._young.pop(key, None)
        if earlier is not None:
            self._weight -= earlier[1]
        if self._young and self._weight + weight > self._limit:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young[key] = (value, weight)
        self._weight += weight
