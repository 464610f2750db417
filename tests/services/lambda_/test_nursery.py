"""Interpreters that wait: how many, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import uvloop

from cloudlet.engines.sandbox import Sandboxes
from cloudlet.services.lambda_.execution import nursery
from cloudlet.services.lambda_.execution.authorities import Trust
from cloudlet.services.lambda_.execution.interpreters import Interpreter, Interpreters
from cloudlet.services.lambda_.execution.nursery import WarmPool, WarmProcess


class Waiting(NamedTuple):
    """A nursery, and what waits in it."""

    nursery: WarmPool
    python: Interpreter
    folder: Path
    """What each sees has a folder there."""

    async def take(self) -> WarmProcess:
        child = await self.nursery.take(self.python)
        assert child is not None
        return child

    def count(self) -> int:
        return len(list(self.folder.glob("*")))


@asynccontextmanager
async def waiting(folder: Path) -> AsyncIterator[Waiting]:
    sandboxes = Sandboxes()
    made = WarmPool(sandboxes, folder / "children", Trust(None, folder / "authorities"))
    try:
        yield Waiting(made, await Interpreters(folder / "compiled").find("python3.13"), folder / "children")
    finally:
        await made.close()
        await sandboxes.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def end(*children: WarmProcess) -> None:
    for child in children:
        await child.process.close()
        nursery.remove(child.folder)


def test_the_first_finds_none_and_the_next_does(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with waiting(tmp_path) as found:
            assert await found.nursery.take(found.python) is None
            await end(await found.take())

    uvloop.run(scenario())


def test_one_waits_and_more_while_they_are_taken_in_a_row(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with waiting(tmp_path) as found:
            found.nursery.expect(found.python)
            await until(lambda: found.count() == 1)
            taken = [await found.take() for _ in range(6)]
            assert len({child.folder for child in taken}) == 6
            await until(lambda: found.count() == 6 + 4)
            await end(*taken)

    uvloop.run(scenario())


def test_those_that_nobody_wants_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery, "_TIDY_SECONDS", 0.01)

    async def scenario() -> None:
        async with waiting(tmp_path) as found:
            found.nursery.expect(found.python)
            await end(*[await found.take() for _ in range(3)])
            await until(lambda: found.count() == 3)
            monkeypatch.setattr(nursery, "_IN_A_ROW_SECONDS", 0.0)
            await until(lambda: found.count() == 1)
            monkeypatch.setattr(nursery, "_UNUSED_SECONDS", 0.0)
            await until(lambda: found.count() == 0)

    uvloop.run(scenario())


def test_one_that_has_died_is_not_given(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with waiting(tmp_path) as found:
            found.nursery.expect(found.python)
            (task,) = found.nursery._kinds["python3.13", ""].waiting
            child = await task
            assert child is not None
            child.process.sandbox.kill()
            await child.process.sandbox.ended
            assert await found.nursery.take(found.python) is None
            await until(lambda: not child.folder.exists())

    uvloop.run(scenario())


def test_one_that_was_wanted_by_who_has_gone_waits_for_the_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with waiting(tmp_path) as found:
            found.nursery.expect(found.python)
            taking = asyncio.create_task(found.nursery.take(found.python))
            await asyncio.sleep(0)
            taking.cancel()
            await asyncio.wait([taking])
            assert taking.cancelled()
            child = await found.take()
            assert child.folder.name == "1"
            await end(child)

    uvloop.run(scenario())
