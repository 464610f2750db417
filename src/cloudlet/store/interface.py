"""What every storage engine offers: strictly serialisable transactions over one ordered keyspace.

A transaction body is an `async` function of a `Transaction`. It may run more than once (on a conflict), so
it has no effects but those on its transaction, and it awaits nothing but the transaction's own methods: others may
wait for it to end. Nothing here assumes one process or a local disk.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from cloudlet.store.transaction import Row, Transaction

__all__ = ["Body", "Conflict", "Done", "Row", "Store", "StoreError", "T", "Transaction"]

T = TypeVar("T")
Body = Callable[[Transaction], Coroutine[Any, Any, T]]
Done = Callable[[T | None, BaseException | None], None]


class StoreError(Exception):
    """The store could not do it: disk full, disk broken, server unreachable. Nothing of the transaction remains."""


class Conflict(StoreError):
    """A transaction kept meeting conflicting ones and was given up after many tries."""


class Store(Protocol):
    """One service's keyspace."""

    @property
    def origin(self) -> str:
        """Return what tells the database from copies of it, once something was read; "" where the rows are in files."""

    @property
    def is_available(self) -> bool:
        """Whether the database is there, as far as is known, and takes writes."""

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
