"""Events and rows of results may be large: how many of them are read at once depends on that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloudlet.core import Subspace, Transaction
from cloudlet.services.cloudtrail import stretch
from cloudlet.store.embedded import EmbeddedStore

_SPACE = Subspace("row")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sizes", [[100_000] * 40, [10] * 500, [10] * 60 + [100_000] * 20])
def test_all_rows_are_read_some_at_a_time(tmp_path: Path, sizes: list[int], reverse: bool) -> None:
    async def scenario() -> list[list[int]]:
        store = EmbeddedStore(tmp_path, durable=False)

        async def fill(tx: Transaction) -> None:
            for number, size in enumerate(sizes):
                tx.put(_SPACE.key(number), b"x" * size)

        await store.transact(fill)
        begin, end, pages = _SPACE.begin, _SPACE.end, []
        while True:
            found = await store.transact(
                lambda tx: stretch.read(tx, begin, end, limit=100, most_bytes=500_000, reverse=reverse)  # noqa: B023
            )
            pages.append([_SPACE.unpack(key)[0] for key, _ in found.rows])
            if found.is_last:
                await store.close()
                return pages
            begin, end = (begin, found.rows[-1][0]) if reverse else (found.rows[-1][0] + b"\0", end)

    pages = asyncio.run(scenario())
    read = [number for page in pages for number in page]
    assert read == sorted(range(len(sizes)), reverse=reverse)
    assert all(len(page) <= 100 for page in pages)
    # As many as were said, and no more than two thirds of that besides, read before it was known how large they are.
    assert max(sum(sizes[number] for number in page) for page in pages) <= 2_500_000
