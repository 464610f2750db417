"""Jobs: what fails is started again, and holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudlet.core import Transaction
from cloudlet.core.background import jobs
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.clock import Clock
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.store import StoreError
from tests.in_process import MovableClock


@asynccontextmanager
async def _block(folder: Path, clock: Clock | None = None) -> AsyncIterator[Block]:
    cloud = Cloud(Config(data=folder, durable=False), TokenSealer(b"k" * 32), clock)
    try:
        yield cloud.block("sts")
    finally:
        await cloud.close()


def test_a_job_that_fails_is_started_again_and_those_beside_it_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        starts = {"fails": 0, "works": 0}
        started_again = asyncio.Event()

        async def fails(block: Block, lease: Lease) -> None:
            starts["fails"] += 1
            if starts["fails"] == 3:
                started_again.set()
                await asyncio.Event().wait()
            raise ValueError("poison")

        async def works(block: Block, lease: Lease) -> None:
            starts["works"] += 1
            await asyncio.Event().wait()

        async with _block(tmp_path) as block:
            running = asyncio.create_task(jobs.run_leased_jobs(block, fails=fails, works=works))
            async with asyncio.timeout(10):
                await started_again.wait()
            assert starts == {"fails": 3, "works": 1}
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(check())
    assert caplog.text.count("the job fails of sts failed") == 2


async def _fail() -> None:
    raise ValueError("poison")


async def _succeed() -> str:
    return "done"


def test_a_work_that_fails_rests_longer_each_time_and_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []
    monkeypatch.setattr(jobs, "compute_back_off", lambda times, longest: pauses.append(times) or 0.0)

    async def check() -> None:
        async with _block(tmp_path) as block:
            changed = asyncio.Event()
            works = jobs.KeyedTasks(block, changed)
            for _ in range(2):
                changed.clear()
                assert await works.attempt("a", "one of many", _fail) is None
                assert "a" in works
                assert await works.attempt("a", "one of many", _succeed) is None
                assert await works.attempt("b", "another", _succeed) == "done"
                async with asyncio.timeout(10):
                    await changed.wait()
                assert "a" not in works
            assert await works.attempt("a", "one of many", _succeed) == "done"
            await works.attempt("a", "one of many", _fail)

    asyncio.run(check())
    assert pauses == [1, 2, 1]
    assert caplog.text.count("sts failed: one of many") == caplog.text.count("ValueError: poison") == 3


def test_works_that_are_started_have_room_and_stop_no_other(tmp_path: Path) -> None:
    async def check() -> None:
        async with _block(tmp_path) as block, asyncio.TaskGroup() as group:
            changed, end = asyncio.Event(), asyncio.Event()
            works = jobs.KeyedTasks(block, changed, at_once=2)
            works.start(group, "a", "fails", _fail)
            works.start(group, "b", "waits", end.wait)
            works.start(group, "c", "has no room", _fail)
            assert (len(works), works.free_slots) == (2, 0)
            async with asyncio.timeout(10):
                await changed.wait()
            assert list(works.running) == ["b"]
            assert "a" in works
            assert works.free_slots == 1
            end.set()

    asyncio.run(check())


def test_works_that_are_done_together_are_done_one_by_one_where_that_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        done: list[list[int]] = []

        async def work(keys: list[int]) -> None:
            if 2 in keys:
                raise ValueError("poison")
            done.append(keys)

        async with _block(tmp_path) as block:
            works = jobs.KeyedTasks(block)
            await works.run_batch([1, 2, 3], "number", work)
            assert done == [[1], [3]]
            await works.run_batch([1, 2, 3], "number", work)
            assert done[2:] == [[1, 3]]

    asyncio.run(check())
    assert caplog.text.count("sts failed: number 2") == 1


def test_a_row_that_cannot_be_read_rests(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with _block(tmp_path) as block:
            works = jobs.KeyedTasks(block)
            for _ in range(2):
                assert works.decode_rows([(b"a", b"1"), (b"b", b"?")], "the row", int) == {b"a": 1}
            assert b"b" in works

    asyncio.run(check())
    assert caplog.text.count("sts failed: the row b'b'") == 1


def test_what_the_store_refuses_has_to_wait_and_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def refused() -> None:
        raise StoreError("the disk is full")

    async def check() -> None:
        async with _block(tmp_path) as block:
            works = jobs.KeyedTasks(block)
            await works.attempt("a", "one", refused)
            await works.attempt("b", "another", refused)
            assert "a" in works
            assert "b" in works

    asyncio.run(check())
    assert [record.getMessage() for record in caplog.records] == ["sts has to wait: one: the disk is full"]
    assert "Traceback" not in caplog.text


def test_the_lease_is_held_while_a_work_that_is_due_takes_longer_than_it_lasts(tmp_path: Path) -> None:
    async def check() -> None:
        begun, end = asyncio.Event(), asyncio.Event()

        async def listed(tx: Transaction, count: int) -> list[tuple[int, str, str]]:
            return [(0, "slow", "111122223333")]

        async def slow(due: int, key: str) -> None:
            begun.set()
            await end.wait()

        clock = MovableClock()
        async with _block(tmp_path, clock) as block, Lease(block) as lease:
            working = asyncio.create_task(jobs.start_timers(block, lease, b"topic", listed, "work", slow, at_once=1))
            async with asyncio.timeout(10):
                await begun.wait()
            other = asyncio.create_task(Lease(block).hold())
            for _ in range(10):
                for _ in range(50):
                    await asyncio.sleep(0)
                clock.advance(4)
            assert not other.done()
            for task in (working, other):
                task.cancel()
            await asyncio.wait((working, other))

    asyncio.run(check())


def test_an_account_holds_half_of_the_places_however_slow_its_works_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_SLOW_SECONDS", 0.0)
    monkeypatch.setattr(jobs, "_SLOW_AT_ONCE", 6)

    async def check() -> None:
        waiting = [(n, f"slow-{n}", "111122223333") for n in range(50)] + [(50, "other", "444455556666")]
        begun: list[str] = []
        others, more, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def listed(tx: Transaction, count: int) -> list[tuple[int, str, str]]:
            return waiting[:count]

        async def do(due: int, key: str) -> None:
            begun.append(key)
            if key == "other":
                others.set()
            elif len(begun) > 6:
                more.set()
            else:
                await end.wait()
            waiting.remove(next(row for row in waiting if row[1] == key))

        async with _block(tmp_path) as block:
            working = asyncio.create_task(jobs.start_timers(block, None, b"topic", listed, "work", do, at_once=4))
            async with asyncio.timeout(10):
                await others.wait()
                assert begun == ["slow-0", "slow-1", "slow-2", "slow-3", "slow-4", "other"]
                end.set()
                await more.wait()
            working.cancel()
            await asyncio.wait((working,))

    asyncio.run(check())


def test_what_is_slow_gives_its_place_away_once_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_SLOW_SECONDS", 0.0)
    monkeypatch.setattr(jobs, "_SLOW_AT_ONCE", 1)

    async def check() -> None:
        async with _block(tmp_path) as block, asyncio.TaskGroup() as group:
            changed = asyncio.Event()
            ends = {"a": asyncio.Event(), "b": asyncio.Event()}
            works = jobs.KeyedTasks(block, changed, at_once=1)
            works.start(group, "a", "is slow first", ends["a"].wait)
            async with asyncio.timeout(10):
                await changed.wait()
                works.start(group, "b", "is slow, too", ends["b"].wait)
                assert works.free_slots == 0
                ends["a"].set()
                while not works.free_slots:
                    changed.clear()
                    await changed.wait()
            assert list(works.running) == ["b"]
            ends["b"].set()

    asyncio.run(check())
