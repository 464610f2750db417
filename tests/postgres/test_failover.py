"""A synchronous standby takes over: what was acknowledged by the primary, the standby has."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from cloudlet.engines import postgres_server
from cloudlet.store import StoreError, Transaction
from cloudlet.store.postgres import PostgresStore
from tests.postgres.load import Load, until
from tests.postgres.server import fresh_keyspace


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


@pytest.mark.parametrize("mode", ["immediate", "kill"])
def test_a_standby_takes_over_under_load(mode: postgres_server.Mode) -> None:
    async def scenario(primary: postgres_server.PostgresServer, standby: postgres_server.PostgresServer) -> None:
        await ask(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        await ask(primary.url, "SELECT pg_reload_conf()")
        url = f"postgresql://postgres@127.0.0.1:{standby.port},127.0.0.1:{primary.port}/postgres"
        keyspace = fresh_keyspace()
        stores = [PostgresStore(url, keyspace) for _ in range(2)]
        load = Load(stores)
        await load.more(200)
        await until_synchronous(primary)
        await load.more(200)
        await asyncio.to_thread(primary.stop, mode)
        assert await ask(standby.url, "SELECT pg_promote()")
        await load.more(200)
        await load.end()
        assert not load.failed, "the standby was there before anybody's patience was over"
        for store in stores:
            await load.check(store)
            await store.close()

    async def until_synchronous(primary: postgres_server.PostgresServer) -> None:
        while await ask(primary.url, "SELECT sync_state FROM pg_stat_replication") != "sync":
            await asyncio.sleep(0.05)

    # The standby inherits the primary's settings by its files; on the command line they are its own.
    alone = {"synchronous_standby_names": ""}
    with (
        postgres_server.run_temporary_server() as primary,
        postgres_server.run_temporary_server(alone, standby_of=primary) as standby,
    ):
        asyncio.run(asyncio.wait_for(scenario(primary, standby), 60))


def test_a_standby_alone_is_down_until_it_is_promoted() -> None:
    async def scenario(primary: postgres_server.PostgresServer, standby: postgres_server.PostgresServer) -> None:
        keyspace = fresh_keyspace()
        first = PostgresStore(primary.url, keyspace)
        load = Load([first])
        await load.more(10)
        await load.end()
        await first.close()
        lsn = await ask(primary.url, "SELECT pg_current_wal_lsn()::text")
        while not await ask(standby.url, f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'"):
            await asyncio.sleep(0.05)
        store = PostgresStore(standby.url, keyspace)
        waiting = Load([store])
        await until(lambda: bool(waiting.failed))
        assert not waiting.acknowledged
        await asyncio.to_thread(primary.stop)
        await ask(standby.url, "SELECT pg_promote()")
        await waiting.more(10)
        await waiting.end()
        await store.close()

    with (
        postgres_server.run_temporary_server() as primary,
        postgres_server.run_temporary_server(standby_of=primary) as standby,
    ):
        asyncio.run(asyncio.wait_for(scenario(primary, standby), 60))


def test_a_synchronous_standby_that_hangs_is_told_within_ten_seconds() -> None:
    async def scenario(primary: postgres_server.PostgresServer, standby: postgres_server.PostgresServer) -> None:
        await ask(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        await ask(primary.url, "SELECT pg_reload_conf()")
        keyspace = fresh_keyspace()
        stores = [PostgresStore(primary.url, keyspace) for _ in range(2)]

        async def put(tx: Transaction) -> None:
            tx.put(b"key", b"value")

        async def outcome(store: PostgresStore) -> BaseException | None:
            return (await asyncio.gather(store.transact(put), return_exceptions=True))[0]

        for store in stores:
            await store.transact(put)
        while await ask(primary.url, "SELECT sync_state FROM pg_stat_replication") != "sync":
            await asyncio.sleep(0.05)
        with frozen(standby):
            began = time.monotonic()
            outcomes = await asyncio.gather(*map(outcome, stores))
            assert [type(error) for error in outcomes] == [StoreError] * 2
            assert time.monotonic() - began < 12
            # From now on nobody is kept waiting, and it does not look as if all were well in between.
            began = time.monotonic()
            while time.monotonic() - began < 3:
                assert isinstance(await outcome(stores[0]), StoreError)
                assert not stores[0].is_available
                await asyncio.sleep(0.1)
            assert time.monotonic() - began < 4
        await until(lambda: all(store.is_available for store in stores))
        for store in stores:
            assert await outcome(store) is None
            await store.close()

    alone = {"synchronous_standby_names": ""}
    with (
        postgres_server.run_temporary_server() as primary,
        postgres_server.run_temporary_server(alone, standby_of=primary) as standby,
    ):
        asyncio.run(asyncio.wait_for(scenario(primary, standby), 90))


@contextmanager
def frozen(server: postgres_server.PostgresServer) -> Iterator[None]:
    """Have a server hang, with all its processes."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    processes = [server.pid, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
