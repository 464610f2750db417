"""Several processes over one keyspace: here several stores, each with its own connection and its own memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.store import StoreError, Transaction
from cloudlet.store.postgres import PostgresStore
from cloudlet.store.postgres.session import Session
from tests.postgres.server import fresh_keyspace, shared_server
from tests.sizes import examples
from tests.store.test_serialisable import STEPS, Model, perform

ORDER = b"order"


def run(scenario: Callable[..., Coroutine[Any, Any, None]], count: int = 2) -> None:
    """Run a scenario of `count` stores over a fresh keyspace."""

    async def main() -> None:
        keyspace = fresh_keyspace()
        stores = [PostgresStore(shared_server().url, keyspace) for _ in range(count)]
        try:
            await scenario(*stores)
        finally:
            for store in stores:
                await store.close()

    asyncio.run(main())


async def number(tx: Transaction, key: bytes) -> int:
    return int(await tx.get(key) or b"0")


@settings(max_examples=examples(60))
@given(clients=st.lists(st.lists(st.lists(STEPS, max_size=6), max_size=4), min_size=2, max_size=6))
def test_any_interleaving_is_a_serial_order(clients: list[list[list[tuple[Any, ...]]]]) -> None:
    commits: dict[int, tuple[list[tuple[Any, ...]], bytes, list[Any]]] = {}

    async def scenario(*stores: PostgresStore) -> None:
        async def client(client_number: int, transactions: list[list[tuple[Any, ...]]]) -> None:
            acknowledged = 0
            for turn, steps in enumerate(transactions):
                value = b"client %d, transaction %d" % (client_number, turn)

                async def body(tx: Transaction, steps: Any = steps, value: bytes = value) -> tuple[int, list[Any]]:
                    order = await number(tx, ORDER) + 1
                    tx.put(ORDER, b"%d" % order)
                    return order, [await perform(tx, step, value) for step in steps]

                store = stores[(client_number + turn) % len(stores)]
                order, seen = await store.transact(body)
                assert order > acknowledged
                acknowledged = order
                assert order not in commits
                commits[order] = steps, value, seen

        await asyncio.gather(*(client(n, transactions) for n, transactions in enumerate(clients)))

    run(scenario, 3)
    model = Model()
    assert sorted(commits) == list(range(1, len(commits) + 1))
    for order in sorted(commits):
        steps, value, seen = commits[order]
        assert [model.apply(step, value) for step in steps] == seen


def test_what_one_has_acknowledged_the_other_sees() -> None:
    async def scenario(left: PostgresStore, right: PostgresStore) -> None:
        async def read(tx: Transaction) -> tuple[bytes | None, list[tuple[bytes, bytes]], int]:
            return await tx.get(b"a"), await tx.range(b"a", b"z", limit=10), await tx.counter(b"z")

        for n in range(50):
            for writer, reader in ((left, right), (right, left)):

                async def write(tx: Transaction, value: bytes = b"%d" % n, writer: Any = writer) -> None:
                    tx.delete_range(b"a", b"c") if writer is left else tx.delete(b"b")
                    tx.put(b"a", value)
                    tx.put(b"b" + value, value * 700)
                    tx.add(b"z", 1)

                await writer.transact(write)
                assert await reader.transact(read) == await writer.transact(read)
                assert (await reader.transact(read))[0] == b"%d" % n
        assert (await left.transact(read))[2] == 100

    run(scenario)


def test_counters_add_up_whoever_adds() -> None:
    async def scenario(*stores: PostgresStore) -> None:
        async def add(tx: Transaction) -> None:
            tx.add(b"n", 1)

        await asyncio.gather(*(stores[n % 3].transact(add) for n in range(600)))
        for store in stores:
            assert await store.transact(lambda tx: tx.counter(b"n")) == 600

    run(scenario, 3)


def test_who_is_woken_by_another_never_misses_anything() -> None:
    """A ball goes to and fro; each player sleeps until he is notified, as a long poll does."""

    async def scenario(left: PostgresStore, right: PostgresStore) -> None:
        rounds = 300

        async def play(store: PostgresStore, own: int) -> None:
            called = asyncio.Event()
            end = store.watch(b"ball", called.set)

            async def hit(tx: Transaction) -> int:
                ball = await number(tx, b"ball")
                if ball % 2 == own and ball < rounds:
                    tx.put(b"ball", b"%d" % (ball + 1))
                    tx.notify(b"ball")
                return ball

            while await store.transact(hit) < rounds - 1:
                await called.wait()
                called.clear()
            end()

        await asyncio.wait_for(asyncio.gather(play(left, 0), play(right, 1)), 60)

    run(scenario)


def test_a_watch_that_begins_with_the_answer_misses_nothing() -> None:
    """Whoever finds nothing begins to watch when he is told so; what comes right then wakes him."""

    async def scenario(left: PostgresStore, right: PostgresStore) -> None:
        async def wait_for(value: bytes) -> None:
            woken = asyncio.Event()
            ends: list[Callable[[], None]] = []

            async def look(tx: Transaction) -> bool:
                return await tx.get(b"mail") == value

            def answered(found: bool | None, error: BaseException | None) -> None:
                assert error is None
                if found:
                    woken.set()
                else:
                    ends.append(right.watch(b"mail", woken.set))

            right.submit(look, answered)
            await asyncio.wait_for(woken.wait(), 10)
            for end in ends:
                end()

        async def send(value: bytes) -> None:
            async def body(tx: Transaction) -> None:
                tx.put(b"mail", value)
                tx.notify(b"mail")

            await left.transact(body)

        for n in range(300):
            value = b"%d" % n
            await asyncio.gather(wait_for(value), send(value))

    run(scenario)


def test_what_is_notified_before_an_older_answer_wakes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification may arrive before the answer of a statement that began before it."""

    async def scenario(left: PostgresStore, right: PostgresStore) -> None:
        woken, heard = asyncio.Event(), asyncio.Event()
        await right.transact(lambda tx: tx.get(b"mail"))
        ends = right.watch(b"mail", heard.set)

        async def send(tx: Transaction) -> None:
            tx.put(b"mail", b"")
            tx.notify(b"mail")

        async def late(session: Session) -> int:
            monkeypatch.setattr(Session, "turn", turn)
            found = await turn(session)
            await left.transact(send)
            await heard.wait()
            return found

        turn = Session.turn
        monkeypatch.setattr(Session, "turn", late)

        def answered(mail: bytes | None, error: BaseException | None) -> None:
            assert (mail, error) == (None, None)
            right.watch(b"mail", woken.set)

        right.submit(lambda tx: tx.get(b"mail"), answered)
        await asyncio.wait_for(woken.wait(), 10)
        ends()

    run(scenario)


def test_many_topics_are_notified_at_once() -> None:
    async def scenario(left: PostgresStore, right: PostgresStore) -> None:
        topics = {b"topic %d" % n for n in range(1000)}
        called: set[bytes] = set()
        everybody = asyncio.Event()

        def note(topic: bytes) -> None:
            called.add(topic)
            if called == topics:
                everybody.set()

        for topic in topics:
            right.watch(topic, lambda topic=topic: note(topic))  # type: ignore[misc]
        await right.transact(lambda tx: tx.get(b""))

        async def notify(tx: Transaction) -> None:
            for topic in topics:
                tx.notify(topic)

        await left.transact(notify)
        await asyncio.wait_for(everybody.wait(), 10)

    run(scenario)


def test_a_key_that_is_too_long_is_no_affair_of_the_others() -> None:
    async def scenario(store: PostgresStore) -> None:
        async def put(tx: Transaction, key: bytes) -> None:
            tx.put(key, b"")

        outcomes = await asyncio.gather(
            *(store.transact(lambda tx, n=n: put(tx, bytes([65 + n]) * n * 1000)) for n in range(1, 5)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), type(None), StoreError, StoreError]

        async def keys(tx: Transaction) -> list[int]:
            return [len(key) for key, _ in await tx.range(b"", b"\xff", limit=10)]

        assert await store.transact(keys) == [1000, 2000]

    run(scenario, 1)


def test_a_keyspace_whose_name_makes_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="keyspace"):
        PostgresStore("postgresql://localhost", 'sqs"; drop')
