"""Clients that write to one keyspace and know what must be there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count

from cloudlet.store import StoreError, Transaction
from cloudlet.store.postgres import PostgresStore


async def put(tx: Transaction, key: bytes) -> None:
    """Write a row and count it: what is done twice is counted twice."""
    tx.put(key, b"")
    tx.add(b"count", 1)


async def everything(tx: Transaction) -> tuple[set[bytes], int]:
    return {key for key, _ in await tx.range(b"k", b"l", limit=1_000_000)}, await tx.counter(b"count")


class Load:
    """Clients that write one row after the other, until they are told to end."""

    def __init__(self, stores: list[PostgresStore], clients: int = 8) -> None:
        self.acknowledged: set[bytes] = set()
        self.failed: dict[bytes, str] = {}
        self._numbers = count()
        self._ends = False
        self._clients = [asyncio.create_task(self._write(stores[n % len(stores)])) for n in range(clients)]

    async def _write(self, store: PostgresStore) -> None:
        while not self._ends:
            key = b"k%d" % next(self._numbers)
            try:
                await store.transact(lambda tx, key=key: put(tx, key))  # type: ignore[misc]
            except StoreError as error:
                self.failed[key] = str(error)
                await asyncio.sleep(0.01)
            else:
                self.acknowledged.add(key)

    async def more(self, rows: int = 100) -> None:
        """Return once that many more rows are acknowledged."""
        goal = len(self.acknowledged) + rows
        await until(lambda: len(self.acknowledged) >= goal)

    async def end(self) -> None:
        self._ends = True
        await asyncio.gather(*self._clients)

    async def check(self, store: PostgresStore) -> None:
        """All that was acknowledged is there, once; so is, or is not, what failed."""
        rows, number = await store.transact(everything)
        assert self.acknowledged <= rows
        assert rows <= self.acknowledged | set(self.failed)
        assert number == len(rows)


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)
