"""Garbage: what nobody refers to any more outlives that for a while, and is removed then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background import garbage
from cloudlet.core.background.garbage import GarbageCollector
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Config
from tests.in_process import InProcess

_GRACE = 10.0


class Heap:
    """The garbage of a block that has none of its own, and the names that are referred to."""

    def __init__(self, cloud: InProcess, *, in_milliseconds: bool) -> None:
        self.cloud = cloud
        self.claimed: set[str] = set()
        self.garbage = GarbageCollector(self._is_claimed, _GRACE, in_milliseconds=in_milliseconds)
        self._in_milliseconds = in_milliseconds
        self._jobs: list[asyncio.Task[None]] = []

    async def _is_claimed(self, tx: Transaction, name: str) -> bool:
        return name in self.claimed

    @property
    def block(self) -> Block:
        return self.cloud.cloud.block("sqs")

    def begin(self, job: Callable[[Block], Awaitable[None]]) -> None:
        async def begin() -> None:
            self._jobs.append(asyncio.ensure_future(job(self.block)))
            await self.cloud.settle()

        self.cloud.run(begin())

    def end(self) -> None:
        async def end() -> None:
            for job in self._jobs:
                job.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)

        self.cloud.run(end())

    def written(self) -> str:
        """Return the name of a new blob."""

        async def write() -> str:
            writer = await self.block.blobs.begin()
            await writer.write(b"x")
            await writer.keep()
            return writer.name

        return self.cloud.run(write())

    def forget(self, name: str) -> None:
        async def body(tx: Transaction) -> None:
            now = self.cloud.now
            self.garbage.add(tx, name, int(now * 1000) if self._in_milliseconds else now)

        self.cloud.run(self.block.store.transact(body))

    def waiting(self) -> set[str]:
        """Return the names of what is garbage."""
        space = Subspace("garbage")
        rows = self.cloud.run(self.block.store.transact(lambda tx: tx.range(space.begin, space.end, limit=100)))
        return {space.unpack(key)[1] for key, _ in rows}

    def is_there(self, name: str) -> bool:
        return self.block.blobs.path(name).exists()


@pytest.fixture(params=[True, False], ids=["milliseconds", "seconds"])
def heap(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Heap]:
    heap = Heap(InProcess(Config(data=tmp_path, durable=False)), in_milliseconds=request.param)
    yield heap
    heap.end()
    heap.cloud.close()


def test_garbage_is_removed_after_a_while_unless_it_is_referred_to_again(heap: Heap) -> None:
    heap.begin(heap.garbage.collect)
    gone, again, later = heap.written(), heap.written(), heap.written()
    for name in (gone, again):
        heap.forget(name)
    heap.claimed.add(again)
    heap.cloud.advance(_GRACE / 2)
    heap.forget(later)
    assert heap.is_there(gone)
    heap.cloud.advance(_GRACE / 2)
    heap.cloud.until(lambda: not heap.is_there(gone))
    assert heap.is_there(again)
    assert heap.is_there(later)
    heap.cloud.advance(_GRACE / 2)
    heap.cloud.until(lambda: not heap.is_there(later))
    assert heap.is_there(again)


def test_what_a_sweep_finds_without_a_reference_becomes_garbage(heap: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_ORPHANED_SECONDS", -1.0)
    claimed, orphaned, forgotten = (heap.written() for _ in range(3))
    heap.claimed.add(claimed)
    heap.forget(forgotten)
    heap.begin(heap.garbage.sweep)
    heap.cloud.until(lambda: heap.waiting() == {orphaned, forgotten})
    heap.begin(heap.garbage.collect)
    heap.cloud.advance(_GRACE / 2)
    assert all(map(heap.is_there, [claimed, orphaned, forgotten]))
    heap.cloud.advance(_GRACE / 2)
    heap.cloud.until(lambda: not heap.is_there(orphaned) and not heap.is_there(forgotten))
    assert heap.is_there(claimed)
