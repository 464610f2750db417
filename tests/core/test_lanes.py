"""Lanes of an outbox: none waits for another."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.keyed_queues import drain, list_queues
from cloudlet.core.kernel.cloud import Config
from tests.in_process import InProcess

_SPACE = Subspace("waiting")
_TOPIC = b"waiting"
_MANY = 1500


async def lanes(tx: Transaction, after: int | None, limit: int) -> list[int]:
    rows = await tx.range(_SPACE.begin if after is None else _SPACE.key(after + 1), _SPACE.end, limit=limit)
    return [_SPACE.unpack(key)[0] for key, _ in rows]


def test_a_lane_is_worked_off_though_very_many_before_it_are_stuck(tmp_path: Path) -> None:
    async def scenario() -> None:
        block = cloud.cloud.block("sqs")
        begun = list[int]()
        reached = asyncio.Event()

        async def work(lane: int) -> None:
            begun.append(lane)
            if lane == _MANY:
                await block.store.transact(done)
                reached.set()
            else:
                await asyncio.Event().wait()

        async def done(tx: Transaction) -> None:
            tx.delete(_SPACE.key(_MANY))

        async def stuck(tx: Transaction) -> None:
            for number in range(_MANY):
                tx.put(_SPACE.key(number), b"")

        async def new(tx: Transaction) -> None:
            tx.put(_SPACE.key(_MANY), b"")
            tx.notify(_TOPIC)

        await block.store.transact(stuck)
        working = asyncio.create_task(drain(block, _TOPIC, lanes, work))
        for _ in range(2):
            # What comes into a lane that was worked off is seen, too.
            await block.store.transact(new)
            await asyncio.wait_for(reached.wait(), 10)
            reached.clear()
        working.cancel()
        await asyncio.wait((working,))
        assert sorted(begun) == [*range(_MANY + 1), _MANY]

    cloud = InProcess(Config(data=tmp_path, durable=False))
    cloud.run(scenario())
    cloud.close()


def test_the_beginnings_of_keys_come_once_each_and_in_pages(tmp_path: Path) -> None:
    cloud = InProcess(Config(data=tmp_path, durable=False))
    pairs = [(account, name) for account in ("a", "aa", "b") for name in ("x", "xy")]

    async def fill(tx: Transaction) -> None:
        for pair in pairs:
            for number in range(3):
                tx.put(_SPACE.key(*pair, number), b"")

    async def paged(tx: Transaction) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        while more := await list_queues(tx, _SPACE, 2, found[-1] if found else None, 4):
            assert len(more) <= 4
            found += more
        return found

    async def check() -> None:
        store = cloud.cloud.block("sqs").store
        await store.transact(fill)
        assert await store.transact(paged) == pairs
        accounts = await store.transact(lambda tx: list_queues(tx, _SPACE, 1, ("a",), 10))
        assert accounts == [("aa",), ("b",)]

    cloud.run(check())
    cloud.close()
