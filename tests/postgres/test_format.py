"""What a newer Cloudlet has written into a PostgreSQL is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cloudlet.store import StoreError, Transaction
from cloudlet.store.format import FORMAT
from cloudlet.store.postgres import PostgresStore
from tests.commands import cloudlet
from tests.postgres.server import shared_server

NEWER = f"(format {FORMAT + 1}; this one knows those up to {FORMAT})"


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a database of this test's own, in which a Cloudlet has stored something."""
    url = f"{shared_server().url.rpartition('/')[0]}/formats"
    asyncio.run(_execute(shared_server().url, "CREATE DATABASE formats"))
    asyncio.run(_put(url))
    yield url
    asyncio.run(_execute(shared_server().url, "DROP DATABASE formats WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    await connection.execute(statement)
    await connection.close()


async def _put(url: str) -> None:
    async def put(tx: Transaction) -> None:
        tx.put(b"key", b"value")

    store = PostgresStore(url, "sqs")
    try:
        await store.transact(put)
    finally:
        await store.close()


async def _formats(url: str) -> list[int]:
    connection = await asyncpg.connect(url, timeout=10)
    found = await connection.fetch("SELECT number FROM cloudlet.formats")
    await connection.close()
    return [number for (number,) in found]


def test_a_database_says_how_data_is_stored_in_it(database: str) -> None:
    assert asyncio.run(_formats(database)) == [FORMAT]


def test_one_that_was_made_before_it_said_so_is_marked(database: str) -> None:
    asyncio.run(_execute(database, "DROP TABLE cloudlet.formats"))
    asyncio.run(_put(database))
    assert asyncio.run(_formats(database)) == [FORMAT]


def test_what_a_newer_one_has_written_is_left_alone(database: str, tmp_path: Path) -> None:
    asyncio.run(_execute(database, f"INSERT INTO cloudlet.formats VALUES ({FORMAT + 1})"))
    for command in (
        ("up", "--port", "0", "--data", str(tmp_path), "--store", database),
        ("serve", "sqs", "--listen", "localhost:0", "--data", str(tmp_path), "--store", database),
        ("store", "copy", database, str(tmp_path / "other")),
    ):
        refused = cloudlet(*command)
        assert refused.returncode == 1
        assert "a newer Cloudlet has written what is in PostgreSQL at" in refused.stderr
        assert NEWER in refused.stderr


def test_one_that_runs_while_a_newer_one_takes_over_does_not_go_on_after_it_has_lost_its_connection(
    database: str,
) -> None:
    async def put(tx: Transaction) -> None:
        tx.put(b"key", b"misread")

    async def put_until_it_fails(store: PostgresStore) -> None:
        # That a connection has ended is seen a moment later.
        while True:
            await store.transact(put)

    async def main() -> None:
        store = PostgresStore(database, "sqs")
        await store.transact(lambda tx: tx.get(b"key"))
        await _execute(database, f"INSERT INTO cloudlet.formats VALUES ({FORMAT + 1})")
        await _execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'formats' AND pid <> pg_backend_pid()",
        )
        with pytest.raises(StoreError, match="a newer Cloudlet has written"):
            await put_until_it_fails(store)
        await store.close()

    asyncio.run(main())
