"""Whose the files of a data folder are, where the rows that name them are in a PostgreSQL, and were copied there."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloudlet.core.host.file_owner import FileOwner, WrongFolder
from cloudlet.store.copying import copy
from cloudlet.store.postgres import PostgresStore
from tests.postgres.server import fresh_database, fresh_keyspace, shared_server


def run(
    scenario: Callable[[PostgresStore, PostgresStore], Awaitable[None]],
    *,
    databases: Callable[[], str] = lambda: shared_server().url,
) -> None:
    """Run a scenario of a store, and one that rows are copied into: in the same database, as it were, or another."""

    async def main(urls: list[str]) -> None:
        stores = [PostgresStore(url, fresh_keyspace()) for url in urls]
        try:
            await asyncio.wait_for(scenario(*stores), 60)
        finally:
            for store in stores:
                await store.close()

    asyncio.run(main([databases() for _ in range(2)]))


def named(mark: str) -> str:
    """Return the name of a file with a mark."""
    return "0" * 32 + mark


def test_a_process_that_starts_again_has_the_files_that_it_had(tmp_path: Path) -> None:
    async def scenario(store: PostgresStore, _: PostgresStore) -> None:
        mark = await FileOwner(store, tmp_path).mark()
        for _ in range(3):
            owners = [FileOwner(store, tmp_path) for _ in range(2)]
            # Several processes at once, too.
            assert [each.marks for each in await asyncio.gather(*(each.renew() for each in owners))] == [(mark,)] * 2
            assert await owners[0].own([named(mark), named(""), named("-of-others")]) == [named(mark)]

    run(scenario)


def test_another_folder_is_refused_unless_it_is_adopted(tmp_path: Path) -> None:
    async def scenario(store: PostgresStore, _: PostgresStore) -> None:
        mark = await FileOwner(store, tmp_path / "first").mark()
        with pytest.raises(WrongFolder, match=r"first on .*cloudlet store adopt"):
            await FileOwner(store, tmp_path / "second").renew()
        await FileOwner(store, tmp_path / "second").adopt()
        assert await FileOwner(store, tmp_path / "second").mark() == mark

    run(scenario)


def test_a_copy_of_the_folder_is_refused_too(tmp_path: Path) -> None:
    async def scenario(store: PostgresStore, _: PostgresStore) -> None:
        await FileOwner(store, tmp_path / "first").renew()
        shutil.copytree(tmp_path / "first", tmp_path / "second")
        for _ in range(2):
            await FileOwner(store, tmp_path / "first").renew()
        with pytest.raises(WrongFolder, match="first on "):
            await FileOwner(store, tmp_path / "second").renew()

    run(scenario)


def test_rows_that_were_copied_to_another_database_leave_the_files_of_the_first(tmp_path: Path) -> None:
    async def scenario(store: PostgresStore, other: PostgresStore) -> None:
        mark = await FileOwner(store, tmp_path).mark()
        await copy(store, other)
        copied = FileOwner(other, tmp_path)
        assert await copied.mark() != mark
        assert await copied.own([named(mark)]) == []
        assert await FileOwner(store, tmp_path).own([named(mark)]) == [named(mark)]
        await copied.adopt()
        assert await FileOwner(other, tmp_path).own([named(mark)]) == [named(mark)]

    run(scenario, databases=fresh_database)


@pytest.mark.parametrize("renewals", [0, 1, 3])
def test_of_two_copies_of_one_database_neither_deletes_what_both_had(tmp_path: Path, renewals: int) -> None:
    """A base backup that was started beside the original, sooner or later: nothing tells which is which."""

    async def scenario(store: PostgresStore, twin: PostgresStore) -> None:
        mark = await FileOwner(store, tmp_path).mark()
        await copy(store, twin)
        for _ in range(renewals):
            await FileOwner(store, tmp_path).renew()
        # As long as it takes until a process is certain, one of the two has noticed, and told the other.
        for each in (twin, store, twin, store):
            await FileOwner(each, tmp_path).renew()
        original, copied = FileOwner(store, tmp_path), FileOwner(twin, tmp_path)
        marks = [await owner.mark() for owner in (original, copied)]
        assert len({mark, *marks}) == 3
        for owner, own in zip((original, copied), marks, strict=True):
            assert await owner.own(map(named, [mark, *marks])) == [named(own)]

    run(scenario)


def test_a_database_that_has_lost_the_last_seconds_deletes_none_of_the_older_files(tmp_path: Path) -> None:
    """A backup was restored in its place, or a standby that lagged behind took over."""

    async def scenario(store: PostgresStore, restored: PostgresStore) -> None:
        mark = await FileOwner(store, tmp_path).mark()
        await copy(store, restored)
        for _ in range(2):
            await FileOwner(store, tmp_path).renew()
        assert await FileOwner(restored, tmp_path).own([named(mark)]) == []
        await FileOwner(restored, tmp_path).adopt()
        assert await FileOwner(restored, tmp_path).own([named(mark)]) == [named(mark)]

    run(scenario)
