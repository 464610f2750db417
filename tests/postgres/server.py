"""One PostgreSQL for all tests of a process that do not stop it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import cache
from itertools import count

import asyncpg

from cloudlet.engines import postgres_server
from cloudlet.engines.postgres_server import PostgresServer

_numbers = count()
_started = ExitStack()


@cache
def shared_server() -> PostgresServer:
    """Return the server, started at the first call and stopped when the session of tests ends."""
    return _started.enter_context(postgres_server.run_temporary_server())


def stop_shared_server() -> None:
    """Stop the server, if it was started."""
    shared_server.cache_clear()
    _started.close()


def fresh_keyspace() -> str:
    """Return a name that no other test has."""
    return f"test{next(_numbers)}"


def fresh_database() -> str:
    """Return the URL of a database that no other test has."""
    server, name = shared_server(), f"tested{next(_numbers)}"

    async def create() -> None:
        connection = await asyncpg.connect(server.url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return f"{server.url.rpartition('/')[0]}/{name}"
