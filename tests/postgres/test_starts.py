"""What a start on a PostgreSQL says where it could not work, and what to do about it."""

from __future__ import annotations

import asyncio
import base64
import secrets
from pathlib import Path

import asyncpg

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Server
from tests.commands import cloudlet
from tests.postgres.server import fresh_database, shared_server
from tests.standing import eventually


def execute(url: str, *statements: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(main())


def connections(url: str) -> int:
    """Return how many connections others have."""

    async def main() -> int:
        connection = await asyncpg.connect(url)
        count = await connection.fetchval(
            "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        await connection.close()
        return int(count)

    return asyncio.run(main())


def said(database: str, data: Path, *options: str, **environment: str) -> str:
    """Return what a start says that fails."""
    done = cloudlet("up", "--port", "0", "--data", str(data), "--store", database, *options, **environment)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_role_that_may_make_no_tables(tmp_path: Path) -> None:
    url, role = fresh_database(), f"limited{secrets.token_hex(4)}"
    execute(shared_server().url, f"CREATE ROLE {role} LOGIN")
    database, limited = url.rpartition("/")[2], url.replace("postgres@", f"{role}@")
    told = said(limited, tmp_path)
    assert f"the role {role} may make no tables there" in told
    assert f"GRANT CREATE ON DATABASE {database} TO {role}" in told
    execute(url, f"GRANT CREATE ON DATABASE {database} TO {role}")
    with Server.start("--data", str(tmp_path), "--store", limited, "--services", "sqs"):
        pass


def test_tables_of_another_role(tmp_path: Path) -> None:
    url, role = fresh_database(), f"limited{secrets.token_hex(4)}"
    with Server.start("--data", str(tmp_path), "--store", url, "--services", "sqs"):
        pass
    execute(url, f"CREATE ROLE {role} LOGIN")
    limited = url.replace("postgres@", f"{role}@")
    assert f"GRANT CREATE ON SCHEMA cloudlet TO {role}" in said(limited, tmp_path)
    execute(url, f"GRANT CREATE, USAGE ON SCHEMA cloudlet TO {role}")
    assert "GRANT ALL ON ALL TABLES IN SCHEMA cloudlet" in said(limited, tmp_path)


def test_too_few_connections(tmp_path: Path) -> None:
    with postgres_server.run_temporary_server({"max_connections": "12"}) as database:
        told = said(database.url, tmp_path)
        assert "has room for 9 more connections" in told
        assert "Raise max_connections" in told
        blocks = "sqs,sns,s3,events,logs,lambda"
        with Server.start("--data", str(tmp_path), "--store", database.url, "--services", blocks):
            eventually(lambda: connections(database.url), lambda count: count == 7)
            assert "has room for 2 more connections: this process needs 3" in said(
                database.url, tmp_path, "--services", "sqs,sns"
            )


def test_another_master_key(tmp_path: Path) -> None:
    url = fresh_database()
    only = "--services", "sqs"
    with Server.start("--data", str(tmp_path / "first"), "--store", url, *only):
        told = said(url, tmp_path / "second", *only)
        assert f"another master key, first that of {tmp_path / 'first'}" in told
        assert "CLOUDLET_MASTER_KEY" in told
    key = base64.b64encode((tmp_path / "first" / "master.key").read_bytes()).decode()
    with Server.start("--data", str(tmp_path / "second"), "--store", url, *only, env={"CLOUDLET_MASTER_KEY": key}):
        pass
    assert cloudlet("store", "adopt", url, str(tmp_path / "second")).returncode == 0
    with Server.start("--data", str(tmp_path / "second"), "--store", url, *only):
        pass
