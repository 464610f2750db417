"""What every storage engine offers: strictly serialisable transactions over one ordered keyspace.

A transaction body is an `async` function of a `Transaction`. It may run more than once (on a conflict), so
it has no effects but those on its transaction, and it awaits nothing but the transaction's own methods: others may
wait for it to end. Nothing here assumes one process or a local disk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[bytes, bytes]
Body = Callable[["Transaction"], Coroutine[Any, Any, T]]
Done = Callable[[T | None, BaseException | None], None]


class StoreError(Exception):
    """The store could not do it: disk full, disk broken, server unreachable. Nothing of the transaction remains."""


class Conflict(StoreError):
    """A transaction kept meeting conflicting ones and was given up after many tries."""


class Transaction(ABC):
    """Reads see the transaction's own writes.

    A base class and not a protocol: compiled, its methods are called by their place in a table, and not looked up.
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


class Store(Protocol):
    """One service's keyspace."""

    waited: float
    """For how many seconds the event loop has stood still so far while the disk worked."""

    def submit(self, body: Body[T], done: Done[T]) -> None:
        """Run `body` in a transaction; call `done(result, None)` once it is durable, or `done(None, error)`.

        An error that the body raises undoes the transaction and is passed on. What a result shows, a crash
        does not take back: a read that saw a write waits until that write is durable.
        """

    async def transact(self, body: Body[T]) -> T:
        """Run `body` in a transaction and return its result once it is durable."""

    def watch(self, topic: bytes, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each commit that notified `topic`; return a function that ends the watch."""

    def size(self) -> int:
        """Return the bytes that the keyspace takes on disk, roughly."""

    async def close(self) -> None:
        """Wait for what is under way and release the keyspace."""
