"""What is kept in memory, by its size: a topic or a message can take a thousand times as much as another."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SizedCache(Generic[K, V]):
    """What was used lately, up to a size in all; and what was added last, however large that is.

    Sizes are bytes, or whatever says as well how much memory something takes.

    Threads may use it together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()
        self.size = 0
        """Of all that is kept."""

    def get(self, key: K) -> V | None:
        """Return the value of a key, None where it is not kept."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def get_or_add(self, key: K, make: Callable[[K], V], size: int) -> V:
        """Return the value of a key: what is kept, or else what is made of the key, of a size, and kept from now on."""
        found = self.get(key)
        if found is None:
            found = make(key)
            self.add(key, found, size)
        return found

    def add(self, key: K, value: V, size: int) -> None:
        """Keep a value of a size, in the place of another one of the key."""
        with self._lock:
            if (before := self._values.pop(key, None)) is not None:
                self.size -= before[1]
            self._values[key] = value, size
            self.size += size
            while self.size > self._most and len(self._values) > 1:
                _, (_, gone) = self._values.popitem(last=False)
                self.size -= gone
