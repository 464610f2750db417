"""Whether a process would carry out what it is asked for: what a load balancer asks before it sends requests there."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Server
from tests.standing import eventually


def health(server: Server, query: str = "?ready") -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"{server.endpoint}/_cloudlet/health{query}") as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def execute(url: str, *statements: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(main())


def test_without_a_database_it_is_ready_at_once(cloudlet_server: Server) -> None:
    assert health(cloudlet_server)[0] == 200
    assert health(cloudlet_server, "")[1]["ready"] is True


@pytest.mark.parametrize("options", [[], ["--isolate"]], ids=["one process", "isolated"])
def test_it_is_not_ready_while_the_database_is_away_or_takes_no_writes(tmp_path: Path, options: list[str]) -> None:
    with postgres_server.run_temporary_server() as database:
        given = "--data", str(tmp_path), "--store", database.url, "--services", "sqs,s3", *options
        with Server.start(*given) as server:
            eventually(lambda: health(server)[0], lambda status: status == 200)
            database.stop()
            eventually(lambda: health(server)[0], lambda status: status == 503)
            status, told = health(server, "")
            assert (status, told["ready"]) == (200, False)
            database.start()
            eventually(lambda: health(server)[0], lambda status: status == 200)
            execute(database.url, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            eventually(lambda: health(server)[0], lambda status: status == 503)
            execute(
                database.url,
                "SET default_transaction_read_only = off",
                "ALTER SYSTEM RESET default_transaction_read_only",
                "SELECT pg_reload_conf()",
            )
            eventually(lambda: health(server)[0], lambda status: status == 200)
