"""Concurrent transactions behave as if they had run one after the other, in the order in which they committed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.store import Transaction
from tests.sizes import examples
from tests.store.conftest import ENGINES

KEYS = [b"k%d" % n for n in range(5)]
STEPS = st.one_of(
    st.tuples(st.just("get"), st.sampled_from(KEYS)),
    st.tuples(st.just("put"), st.sampled_from(KEYS)),
    st.tuples(st.just("delete"), st.sampled_from(KEYS)),
    st.tuples(st.just("range"), st.sampled_from(KEYS), st.sampled_from(KEYS), st.integers(1, 5), st.booleans()),
    st.tuples(st.just("clear"), st.sampled_from(KEYS), st.sampled_from(KEYS)),
    st.tuples(st.just("pause"), st.integers(0, 3)),
)
CLIENTS = st.lists(st.lists(st.lists(STEPS, max_size=6), max_size=3), min_size=1, max_size=4)


class Model:
    """The store, as simple as can be."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def apply(self, step: tuple[Any, ...], value: bytes) -> Any:
        kind = step[0]
        if kind == "get":
            return self.rows.get(step[1])
        if kind == "put":
            self.rows[step[1]] = value
        elif kind == "delete":
            self.rows.pop(step[1], None)
        elif kind == "range":
            _, begin, end, limit, reverse = step
            found = sorted(((k, v) for k, v in self.rows.items() if begin <= k < end), reverse=reverse)
            return found[:limit]
        elif kind == "clear":
            self.rows = {k: v for k, v in self.rows.items() if not step[1] <= k < step[2]}
        return None


async def perform(tx: Transaction, step: tuple[Any, ...], value: bytes) -> Any:
    kind = step[0]
    if kind == "get":
        return await tx.get(step[1])
    if kind == "put":
        tx.put(step[1], value)
    elif kind == "delete":
        tx.delete(step[1])
    elif kind == "range":
        return await tx.range(step[1], step[2], limit=step[3], reverse=step[4])
    elif kind == "clear":
        tx.delete_range(step[1], step[2])
    else:
        for _ in range(step[1]):
            await asyncio.sleep(0)
    return None


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=examples(60))
@given(clients=CLIENTS)
def test_any_interleaving_is_a_serial_order(engine: str, clients: list[list[list[tuple[Any, ...]]]]) -> None:
    commits: list[tuple[list[tuple[Any, ...]], bytes, list[Any]]] = []

    async def client(store: Any, number: int, transactions: list[list[tuple[Any, ...]]]) -> None:
        for turn, steps in enumerate(transactions):
            value = b"client %d, transaction %d" % (number, turn)

            async def body(tx: Transaction, steps: Any = steps, value: bytes = value) -> tuple[Any, bytes, list[Any]]:
                return steps, value, [await perform(tx, step, value) for step in steps]

            finished = asyncio.get_running_loop().create_future()

            def done(outcome: Any, error: BaseException | None, finished: Any = finished) -> None:
                if error is None:
                    commits.append(outcome)
                finished.set_result(error)

            store.submit(body, done)
            assert await finished is None

    async def main() -> dict[bytes, bytes]:
        with TemporaryDirectory() as folder:
            store = ENGINES[engine](Path(folder))
            await asyncio.gather(*(client(store, n, transactions) for n, transactions in enumerate(clients)))

            async def everything(tx: Transaction) -> list[tuple[bytes, bytes]]:
                return await tx.range(b"", b"\xff", limit=100)

            final = dict(await store.transact(everything))
            await store.close()
            return final

    final = asyncio.run(main())
    model = Model()
    for steps, value, seen in commits:
        assert [model.apply(step, value) for step in steps] == seen
    assert final == model.rows
