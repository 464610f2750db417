"""What every engine promises about transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.store import Conflict, Store, StoreError, Transaction

Run = Callable[[Callable[[Store], Any]], Any]


async def put(store: Store, **values: bytes) -> None:
    async def body(tx: Transaction) -> None:
        for name, value in values.items():
            tx.put(name.encode(), value)

    await store.transact(body)


async def rows(store: Store, begin: bytes = b"", end: bytes = b"\xff", **options: Any) -> list[tuple[bytes, bytes]]:
    async def body(tx: Transaction) -> list[tuple[bytes, bytes]]:
        return await tx.range(begin, end, **{"limit": 1000, **options})

    return await store.transact(body)


def test_what_was_put_can_be_got(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        await put(store, a=b"1")

        async def body(tx: Transaction) -> tuple[bytes | None, bytes | None]:
            return await tx.get(b"a"), await tx.get(b"b")

        assert await store.transact(body) == (b"1", None)

    run_with_store(scenario)


def test_a_transaction_sees_its_own_writes(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        await put(store, a=b"1", b=b"2", c=b"3", d=b"4")

        async def body(tx: Transaction) -> None:
            tx.delete(b"b")
            tx.put(b"bb", b"new")
            tx.delete_range(b"d", b"e")
            tx.put(b"dd", b"after the clearing")
            assert await tx.get(b"b") is None
            assert await tx.get(b"d") is None
            expected = [(b"a", b"1"), (b"bb", b"new"), (b"c", b"3"), (b"dd", b"after the clearing")]
            assert await tx.range(b"", b"\xff", limit=10) == expected
            assert await tx.range(b"", b"\xff", limit=10, reverse=True) == expected[::-1]
            assert await tx.range(b"", b"\xff", limit=2) == expected[:2]
            assert await tx.range(b"", b"\xff", limit=1, reverse=True) == expected[-1:]

        await store.transact(body)
        assert [key for key, _ in await rows(store)] == [b"a", b"bb", b"c", b"dd"]

    run_with_store(scenario)


def test_a_range_has_a_limit_a_direction_and_an_exclusive_end(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        await put(store, **{f"k{n}": b"" for n in range(10)})
        assert [key for key, _ in await rows(store, b"k2", b"k5")] == [b"k2", b"k3", b"k4"]
        assert [key for key, _ in await rows(store, b"k2", b"k5", limit=1, reverse=True)] == [b"k4"]
        assert await rows(store, b"k5", b"k2") == []
        assert await rows(store, b"x", b"y") == []

    run_with_store(scenario)


def test_an_error_undoes_the_transaction(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def body(tx: Transaction) -> None:
            tx.put(b"a", b"1")
            tx.add(b"counter", 1)
            raise LookupError("no")

        with pytest.raises(LookupError):
            await store.transact(body)
        assert await rows(store) == []

    run_with_store(scenario)


def test_counters_add_up(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def add(tx: Transaction) -> None:
            before = await tx.counter(b"n")
            await asyncio.sleep(0)
            tx.add(b"m", 2)
            tx.add(b"m", -1)
            assert await tx.counter(b"n") == before

        await asyncio.gather(*(store.transact(add) for _ in range(20)))

        async def read(tx: Transaction) -> tuple[int, int]:
            tx.add(b"m", -30)
            return await tx.counter(b"m"), await tx.counter(b"never")

        assert await store.transact(read) == (-10, 0)

        async def clear(tx: Transaction) -> int:
            tx.add(b"m", 5)
            tx.delete_range(b"m", b"n")
            tx.add(b"m", 1)
            return await tx.counter(b"m")

        assert await store.transact(clear) == 1

    run_with_store(scenario)


def test_a_transaction_whose_reads_changed_runs_again(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        runs = 0

        async def increment(tx: Transaction) -> None:
            nonlocal runs
            runs += 1
            value = int(await tx.get(b"n") or b"0")
            await asyncio.sleep(0)
            tx.put(b"n", str(value + 1).encode())

        await asyncio.gather(*(store.transact(increment) for _ in range(10)))
        assert await rows(store) == [(b"n", b"10")]
        assert runs > 10

    run_with_store(scenario)


def test_an_error_out_of_outdated_reads_is_not_passed_on(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def create(tx: Transaction) -> str:
            if await tx.get(b"name"):
                raise LookupError("taken")
            await asyncio.sleep(0)
            tx.put(b"name", b"mine")
            return "created"

        outcomes = await asyncio.gather(*(store.transact(create) for _ in range(5)), return_exceptions=True)
        assert outcomes.count("created") == 1
        assert sum(isinstance(outcome, LookupError) for outcome in outcomes) == 4

    run_with_store(scenario)


def test_a_range_read_conflicts_with_what_appears_in_it(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def only_one(tx: Transaction) -> str:
            found = await tx.range(b"a", b"z", limit=1)
            await asyncio.sleep(0)
            if found:
                return "late"
            tx.put(f"m{id(tx)}".encode(), b"")
            return "first"

        outcomes = await asyncio.gather(*(store.transact(only_one) for _ in range(5)))
        assert sorted(outcomes) == ["first", "late", "late", "late", "late"]

    run_with_store(scenario)


def test_a_transaction_that_never_wins_is_given_up(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def loser(tx: Transaction) -> None:
            await tx.get(b"n")
            await put(store, n=b"again")
            tx.put(b"m", b"")

        with pytest.raises(Conflict):
            await store.transact(loser)
        assert [key for key, _ in await rows(store)] == [b"n"]

    run_with_store(scenario)


def test_watches_are_called_after_commits_that_notify(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        changed = asyncio.Event()
        end = store.watch(b"topic", changed.set)

        async def notify(tx: Transaction) -> None:
            tx.put(b"a", b"1")
            tx.notify(b"topic")

        async def notify_and_fail(tx: Transaction) -> None:
            tx.notify(b"topic")
            raise LookupError

        with pytest.raises(LookupError):
            await store.transact(notify_and_fail)
        await put(store, b=b"2")
        assert not changed.is_set()
        await store.transact(notify)
        await asyncio.wait_for(changed.wait(), 5)
        changed.clear()
        end()
        await store.transact(notify)
        assert not changed.is_set()

    run_with_store(scenario)


def test_an_answer_that_fails_is_no_affair_of_the_others(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def body(tx: Transaction) -> None:
            tx.put(b"a", b"1")

        def fail(result: None, error: BaseException | None) -> None:
            raise RuntimeError("the caller's own affair")

        store.submit(body, fail)
        await asyncio.wait_for(put(store, b=b"2"), 5)
        assert [key for key, _ in await rows(store)] == [b"a", b"b"]

    run_with_store(scenario)


def test_clearing_a_large_range_takes_no_longer_than_a_small_one(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def fill(tx: Transaction) -> None:
            for n in range(20_000):
                tx.put(b"k%06d" % n, b"v")

        await store.transact(fill)

        async def clear(tx: Transaction) -> None:
            tx.delete_range(b"k", b"l")
            assert len(getattr(tx, "writes", ())) == 0

        await store.transact(clear)
        assert await rows(store) == []
        await put(store, k5=b"back")
        assert await rows(store) == [(b"k5", b"back")]

    run_with_store(scenario)


def test_a_task_that_does_one_transaction_after_the_other_lets_others_have_their_turn(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        had_their_turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(had_their_turn.set)
        for _ in range(20_000):
            await rows(store)
            if had_their_turn.is_set():
                return
        pytest.fail("nobody else had a turn")

    run_with_store(scenario)


def test_a_body_that_raises_before_there_is_anything_to_await_leaves_nothing_under_way(run_with_store: Run) -> None:
    def body(tx: Transaction) -> Any:
        raise ValueError("no body")

    async def scenario(store: Store) -> None:
        with pytest.raises(ValueError, match="no body"):
            await store.transact(body)
        await put(store, a=b"1")

    run_with_store(scenario)


def test_a_value_that_grows_is_not_read_as_it_was_before(run_with_store: Run) -> None:
    """Small values are remembered, large ones are not."""

    async def scenario(store: Store) -> None:
        await put(store, key=b"first")
        await put(store, **{f"other{number}": b"" for number in range(5000)})
        await put(store, key=b"second")
        await put(store, key=bytes(2000))

        async def get(tx: Transaction) -> bytes | None:
            return await tx.get(b"key")

        assert await store.transact(get) == bytes(2000)

    run_with_store(scenario)


def test_what_is_put_replaces_what_was_added(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def body(tx: Transaction) -> int:
            tx.add(b"counter", 5)
            tx.put(b"counter", (3).to_bytes(8, "big", signed=True))
            return await tx.counter(b"counter")

        async def counted(tx: Transaction) -> int:
            return await tx.counter(b"counter")

        assert await store.transact(body) == 3
        assert await store.transact(counted) == 3

    run_with_store(scenario)


def test_a_counter_that_would_be_too_large_is_an_error(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        async def body(tx: Transaction) -> None:
            tx.add(b"counter", 2**62)

        await store.transact(body)
        with pytest.raises(StoreError):
            await asyncio.wait_for(store.transact(body), 60)

        async def counted(tx: Transaction) -> int:
            return await tx.counter(b"counter")

        assert await store.transact(counted) == 2**62

    run_with_store(scenario)


def test_a_body_that_raises_before_there_is_anything_to_await_when_it_runs_again(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        await put(store, key=b"value")
        goes_on = asyncio.Event()
        has_read = asyncio.Event()
        runs = 0

        async def read(tx: Transaction) -> None:
            await tx.get(b"key")
            has_read.set()
            await goes_on.wait()

        def body(tx: Transaction) -> Any:
            nonlocal runs
            runs += 1
            if runs > 1:
                raise ValueError("there is nothing to await")
            return read(tx)

        waiting = asyncio.create_task(store.transact(body))
        await has_read.wait()
        await put(store, key=b"other")
        goes_on.set()
        with pytest.raises(ValueError, match="nothing to await"):
            await asyncio.wait_for(waiting, 60)

    run_with_store(scenario)


def test_a_watch_that_fails_is_no_affair_of_the_others(run_with_store: Run) -> None:
    async def scenario(store: Store) -> None:
        told: list[str] = []

        def fail() -> None:
            raise ValueError("not told")

        store.watch(b"topic", fail)
        store.watch(b"topic", lambda: told.append("other"))

        async def body(tx: Transaction) -> str:
            tx.put(b"a", b"1")
            tx.notify(b"topic")
            return "answered"

        assert await asyncio.wait_for(store.transact(body), 60) == "answered"
        assert told == ["other"]

    run_with_store(scenario)
