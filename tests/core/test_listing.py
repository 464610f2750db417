"""Lists in pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import pytest

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.store.embedded import EmbeddedStore

T = TypeVar("T")
SPACE = Subspace("names")
NAMES = ["", "a", "a\0", "a\0b", "ab", "b", "b\U0001f600", "c", "ä"]
WRONG = AwsError("InvalidToken", "no")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Transaction], Coroutine[object, object, T]]], T]:
    """Run a transaction on a store that has the names, and before and behind them others."""

    def run(body: Callable[[Transaction], Coroutine[object, object, T]]) -> T:
        async def fill(tx: Transaction) -> None:
            for name in NAMES:
                tx.put(SPACE.key(name), name.encode())
            tx.put(Subspace("name").key("a"), b"before")
            tx.put(Subspace("namest").key("a"), b"behind")

        async def main() -> T:
            store = EmbeddedStore(tmp_path, durable=False)
            try:
                await store.transact(fill)
                return await store.transact(body)
            finally:
                await store.close()

        return asyncio.run(main())

    return run


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_have_all_that_is_wanted_and_none_is_empty(run: Callable[..., list[list[str]]], limit: int) -> None:
    def select(raw: bytes) -> str | None:
        return raw.decode() if raw.startswith(b"a") else None

    async def pages(tx: Transaction) -> list[list[str]]:
        found, token = await listing.list_page(tx, SPACE, None, limit, select, WRONG)
        seen = [found]
        while token is not None:
            found, token = await listing.list_page(tx, SPACE, token, limit, select, WRONG)
            seen.append(found)
        return seen

    found = run(pages)
    wanted = [name for name in NAMES if name.startswith("a")]
    assert found == [wanted[begin : begin + limit] for begin in range(0, len(wanted), limit)]


@pytest.mark.parametrize("limit", [1, 3, 9, 100])
def test_rows_come_in_pages(run: Callable[..., list[list[bytes]]], limit: int) -> None:
    async def pages(tx: Transaction) -> list[list[bytes]]:
        rows, token = await listing.list_rows(tx, SPACE, None, limit, WRONG)
        seen = [rows]
        while token is not None:
            rows, token = await listing.list_rows(tx, SPACE, token, limit, WRONG)
            seen.append(rows)
        return [[raw for _, raw in rows] for rows in seen]

    names = [name.encode() for name in NAMES]
    assert run(pages) == [names[begin : begin + limit] for begin in range(0, len(names), limit)]


@pytest.mark.parametrize("prefix", ["", "a", "a\0", "b", "d"])
@pytest.mark.parametrize("after", ["", "a", "a\0b", "ab", "b", "c", "z"])
def test_names_with_a_prefix_after_a_name(run: Callable[..., list[str]], prefix: str, after: str) -> None:
    async def found(tx: Transaction) -> list[str]:
        return [raw.decode() for _, raw in await listing.list_names(tx, SPACE, prefix, after, 100)]

    assert run(found) == [name for name in NAMES if name.startswith(prefix) and (not after or name > after)]


@pytest.mark.parametrize("token", ["", "nonsense!", page_tokens.make_page_token(b"\xff\xff")])
def test_what_is_no_token_is_refused(run: Callable[..., None], token: str) -> None:
    async def page(tx: Transaction) -> None:
        await listing.list_rows(tx, SPACE, token, 10, WRONG)

    with pytest.raises(AwsError) as caught:
        run(page)
    assert caught.value is WRONG
