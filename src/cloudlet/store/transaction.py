"""What the body of a transaction reads and writes by: see `cloudlet.store.interface`."""

from __future__ import annotations

from abc import ABC, abstractmethod

Row = tuple[bytes, bytes]


class Transaction(ABC):
    """Reads see the transaction's own writes.

    A base class and not a protocol: compiled, its methods are called through a table, and not looked up.
    """

    __slots__ = ()

    @abstractmethod
    async def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""

    @abstractmethod
    async def range(self, begin: bytes, end: bytes, *, limit: int, reverse: bool = False) -> list[Row]:
        """Return up to `limit` (key, value) rows with begin <= key < end, in the order of keys."""

    @abstractmethod
    async def counter(self, key: bytes) -> int:
        """Return the value of a counter (0 where nothing was added)."""

    @abstractmethod
    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""

    @abstractmethod
    def delete(self, key: bytes) -> None:
        """Remove a key; removing what is not there is no error."""

    @abstractmethod
    def delete_range(self, begin: bytes, end: bytes) -> None:
        """Remove all keys with begin <= key < end, at a cost that does not grow with their number."""

    @abstractmethod
    def add(self, key: bytes, delta: int) -> None:
        """Add to a counter (a signed 64-bit integer) without conflicting with others who add to it."""

    @abstractmethod
    def notify(self, topic: bytes) -> None:
        """Once committed, call whoever watches `topic`, in every process."""
