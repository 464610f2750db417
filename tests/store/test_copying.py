"""What one engine holds can be taken to another."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from cloudlet.store import Store, StoreError, Transaction, pack
from cloudlet.store.copying import copy
from tests.store.conftest import ENGINES

ROWS = [(pack(("row", n)), bytes(n % 7)) for n in range(2500)] + [(pack(("z", n)), bytes(1 << 20)) for n in range(6)]


async def _fill(tx: Transaction, *, rows: list[tuple[bytes, bytes]]) -> None:
    for key, value in rows:
        tx.put(key, value)
    tx.add(pack(("counter",)), 42)


async def _everything(tx: Transaction) -> list[tuple[bytes, bytes]]:
    return await tx.range(b"", b"\xff", limit=10_000)


@pytest.mark.parametrize(("old", "new"), [("embedded", "postgres"), ("postgres", "embedded")])
def test_all_rows_and_counters_are_copied(old: str, new: str, tmp_path: Path) -> None:
    async def scenario(source: Store, target: Store) -> None:
        await source.transact(partial(_fill, rows=ROWS))
        assert await copy(source, target) == len(ROWS) + 1
        assert await target.transact(_everything) == await source.transact(_everything)
        assert await target.transact(lambda tx: tx.counter(pack(("counter",)))) == 42
        with pytest.raises(StoreError, match="not empty"):
            await copy(source, target)

    async def main() -> None:
        source, target = ENGINES[old](tmp_path / "old"), ENGINES[new](tmp_path / "new")
        try:
            await scenario(source, target)
        finally:
            await source.close()
            await target.close()

    asyncio.run(main())


def test_an_empty_store_is_copied(tmp_path: Path) -> None:
    async def main() -> None:
        source, target = (ENGINES["embedded"](tmp_path / name) for name in ("old", "new"))
        assert await copy(source, target) == 0
        await source.close()
        await target.close()

    asyncio.run(main())
