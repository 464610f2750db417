"""The reconciler: what the store wants is brought about in the world, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import Subspace
from cloudlet.core.background import jobs
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.tokens import TokenSealer

ACCOUNT = "111122223333"
_WANTED = Subspace("wanted")


class Lamps:
    """A toy: lamps that burn as brightly as the store wants, brighter or darker by one at each step."""

    def __init__(self) -> None:
        self.burning: dict[str, int] = {}
        self.steps = 0
        self.broken: set[str] = set()
        self.pause: float | None = 0.0
        self.reconciler = Reconciler("lamp", self.step)
        self.stepped = asyncio.Condition()

    async def step(self, block: Block, key: Key) -> float | None:
        name = key[1]
        if name in self.broken:
            raise ValueError("the lamp is broken")
        raw = await block.store.transact(lambda tx: tx.get(_WANTED.key(*key)))
        wanted = 0 if raw is None else int(raw)
        burning = self.burning.get(name, 0)
        self.steps += 1
        if burning != wanted:
            self.burning[name] = burning + (1 if wanted > burning else -1)
        async with self.stepped:
            self.stepped.notify_all()
        return None if self.burning.get(name, 0) == wanted else self.pause

    async def want(self, block: Block, name: str, brightness: int, account: str = ACCOUNT) -> None:
        async def body(tx: Any) -> None:
            tx.put(_WANTED.key(account, name), str(brightness).encode())
            self.reconciler.request(tx, account, name)

        await block.store.transact(body)

    async def burns(self, name: str, brightness: int) -> None:
        async with self.stepped:
            await self.stepped.wait_for(lambda: self.burning.get(name) == brightness)


def _run(folder: Path, scenario: Callable[[Block, Lamps], Awaitable[None]], *, is_reconciled: bool = True) -> None:
    async def run() -> None:
        cloud = Cloud(Config(data=folder, durable=False), TokenSealer(b"k" * 32))
        lamps = Lamps()
        block = cloud.block("sts")
        job = asyncio.create_task(lamps.reconciler.run(block)) if is_reconciled else None
        try:
            async with asyncio.timeout(20):
                await scenario(block, lamps)
        finally:
            if job is not None:
                job.cancel()
            await cloud.close()

    asyncio.run(run())


def test_a_resource_becomes_what_is_wanted_step_by_step(tmp_path: Path) -> None:
    async def scenario(block: Block, lamps: Lamps) -> None:
        await lamps.want(block, "hall", 3)
        await lamps.burns("hall", 3)
        assert lamps.steps == 3
        await lamps.want(block, "hall", 1)
        await lamps.burns("hall", 1)

    _run(tmp_path, scenario)


def test_what_was_requested_before_a_kill_is_taken_up_by_the_next_process(tmp_path: Path) -> None:
    async def before(block: Block, lamps: Lamps) -> None:
        await lamps.want(block, "hall", 2)

    async def after(block: Block, lamps: Lamps) -> None:
        await lamps.burns("hall", 2)

    _run(tmp_path, before, is_reconciled=False)
    _run(tmp_path, after)


def test_one_that_fails_backs_off_and_others_go_on(tmp_path: Path) -> None:
    async def scenario(block: Block, lamps: Lamps) -> None:
        lamps.broken.add("cellar")
        await lamps.want(block, "cellar", 1)
        await lamps.want(block, "hall", 1)
        await lamps.burns("hall", 1)
        lamps.broken.clear()
        await lamps.burns("cellar", 1)

    _run(tmp_path, scenario)


def test_a_change_ends_a_pause(tmp_path: Path) -> None:
    async def scenario(block: Block, lamps: Lamps) -> None:
        lamps.pause = 3600.0
        await lamps.want(block, "hall", 2)
        await lamps.burns("hall", 1)
        await lamps.want(block, "hall", 1)
        async with lamps.stepped:
            await lamps.stepped.wait_for(lambda: lamps.steps == 2)
        assert lamps.burning == {"hall": 1}

    _run(tmp_path, scenario)


@pytest.mark.interpreted
def test_a_change_during_a_step_does_not_wait_for_the_end_of_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The reconciler looks again, too, when a step has become slow.
    monkeypatch.setattr(jobs, "_SLOW_SECONDS", 3600.0)

    async def scenario(block: Block, lamps: Lamps) -> None:
        started, goes_on = asyncio.Event(), asyncio.Event()
        lamps.pause = 3600.0
        step = lamps.step

        async def slow(block: Block, key: Key) -> float | None:
            done = await step(block, key)
            if key[1] == "hall":
                started.set()
                await goes_on.wait()
            return done

        lamps.reconciler = Reconciler("slow", slow)
        job = asyncio.create_task(lamps.reconciler.run(block))
        await lamps.want(block, "hall", 3)
        await started.wait()
        await lamps.want(block, "hall", 2)
        # Once this one burns, the reconciler has seen the change before.
        await lamps.want(block, "cellar", 1)
        await lamps.burns("cellar", 1)
        for _ in range(20):  # It comes to rest meanwhile.
            await block.store.transact(lambda tx: tx.get(b"nothing"))
        goes_on.set()
        await lamps.burns("hall", 2)
        job.cancel()

    _run(tmp_path, scenario)


def test_a_change_during_a_step_is_not_taken_for_done(tmp_path: Path) -> None:
    async def scenario(block: Block, lamps: Lamps) -> None:
        started, goes_on = asyncio.Event(), asyncio.Event()
        step = lamps.step

        async def slow(block: Block, key: Key) -> float | None:
            done = await step(block, key)
            started.set()
            await goes_on.wait()
            return done

        lamps.reconciler = Reconciler("slow", slow)
        job = asyncio.create_task(lamps.reconciler.run(block))
        await lamps.want(block, "hall", 1)
        await started.wait()
        await lamps.want(block, "hall", 2)
        goes_on.set()
        await lamps.burns("hall", 2)
        job.cancel()

    _run(tmp_path, scenario, is_reconciled=False)
