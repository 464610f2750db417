"""A synchronous standby takes over: what was acknowledged by the primary, the standby has."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from cloudlet.engines import postgres
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
def test_a_standby_takes_over_under_load(mode: postgres.Mode) -> None:
    async def scenario(primary: postgres.PostgresServer, standby: postgres.PostgresServer) -> None:
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

    async def until_synchronous(primary: postgres.PostgresServer) -> None:
        while await ask(primary.url, "SELECT sync_state FROM pg_stat_replication") != "sync":
            await asyncio.sleep(0.05)

    # The standby inherits the primary's settings by its files; on the command line they are its own.
    alone = {"synchronous_standby_names": ""}
    with postgres.temporary() as primary, postgres.temporary(alone, standby_of=primary) as standby:
        asyncio.run(asyncio.wait_for(scenario(primary, standby), 60))


def test_a_standby_alone_is_down_until_it_is_promoted() -> None:
    async def scenario(primary: postgres.PostgresServer, standby: postgres.PostgresServer) -> None:
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

    with postgres.temporary() as primary, postgres.temporary(standby_of=primary) as standby:
        asyncio.run(asyncio.wait_for(scenario(primary, standby), 60))
