"""The server goes away and comes back: nothing acknowledged is lost, nothing is done twice, nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import mkdtemp
from typing import Any

import asyncpg
import pytest

from cloudlet.engines import postgres_server
from cloudlet.engines.postgres_server import Mode, PostgresServer, free_port
from cloudlet.store import StoreError, Transaction
from cloudlet.store.postgres import PostgresStore, engine, session
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.postgres.load import Load, everything, until
from tests.postgres.server import fresh_keyspace, shared_server


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that may be stopped."""
    with postgres_server.run_temporary_server() as started:
        yield started


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
@pytest.mark.parametrize("stores", [1, 2])
def test_a_restart_under_load_loses_and_repeats_nothing(server: PostgresServer, mode: Mode, stores: int) -> None:
    async def main() -> None:
        keyspace = fresh_keyspace()
        opened = [PostgresStore(server.url, keyspace) for _ in range(stores)]
        load = Load(opened)
        for _ in range(2):
            await load.more()
            await asyncio.to_thread(server.restart, mode)
            await load.more()
        await load.end()
        assert not load.failed, "it was back before anybody's patience was over"
        for store in opened:
            await load.check(store)
            await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("url", ["postgresql://[x", "postgresql://localhost:port/x"])
def test_a_url_that_is_none_is_said(url: str) -> None:
    with pytest.raises(StoreError, match="not valid"):
        asyncio.run(PostgresStore.check(url, 1))


def test_a_connection_that_has_ended_before_it_is_asked_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = session.Session.commit

    async def ended(asked: session.Session, *arguments: Any, **more: Any) -> bool:
        monkeypatch.setattr(session.Session, "commit", commit)
        asked.terminate()
        return await commit(asked, *arguments, **more)

    async def put(tx: Transaction) -> None:
        tx.put(b"key", b"value")

    async def main() -> None:
        store = PostgresStore(shared_server().url, fresh_keyspace())
        monkeypatch.setattr(session.Session, "commit", ended)
        await store.transact(put)
        assert await store.transact(lambda tx: tx.get(b"key")) == b"value"
        await store.close()

    asyncio.run(main())


def test_connections_that_are_cut_are_noticed_by_nobody() -> None:
    async def main() -> None:
        keyspace = fresh_keyspace()
        stores = [PostgresStore(shared_server().url, keyspace) for _ in range(2)]
        load = Load(stores)
        administrator = await asyncpg.connect(shared_server().url)
        for _ in range(10):
            await load.more(20)
            await administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
        await load.end()
        await administrator.close()
        assert not load.failed
        for store in stores:
            await load.check(store)
            await store.close()

    asyncio.run(main())


def test_a_server_that_is_down_is_an_error_and_one_that_is_back_is_found(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_PATIENCE_SECONDS", 0.5)

    async def main() -> None:
        store = PostgresStore(server.url, fresh_keyspace())
        woken = asyncio.Event()
        store.watch(b"topic", woken.set)
        load = Load([store])
        await load.more()
        await asyncio.to_thread(server.stop, "kill")
        await until(lambda: bool(load.failed))
        assert f"cannot connect to PostgreSQL at postgres@127.0.0.1:{server.port}".replace("postgres@", "") in min(
            load.failed.values()
        ) or all("not known" in reason for reason in load.failed.values())
        began = time.monotonic()
        with pytest.raises(StoreError, match="cannot connect to PostgreSQL at 127"):
            await store.transact(everything)
        assert time.monotonic() - began < engine._PATIENCE_SECONDS / 2, "once it is known to be down nobody waits"
        woken.clear()
        await asyncio.to_thread(server.start)
        await load.more()
        assert woken.is_set(), "who watches may have missed something"
        await load.end()
        await load.check(store)
        await store.close()

    asyncio.run(main())


def test_a_start_tells_what_is_wrong_and_waits_for_a_server_that_is_away(tmp_path: Path) -> None:
    folder = Path(mkdtemp(prefix="cloudlet-test-"))
    server = PostgresServer(folder, password="right")

    def store(password: str, database: str = "postgres") -> str:
        return f"postgresql://postgres:{password}@127.0.0.1:{server.port}/{database}"

    def said(url: str, *command: str) -> str:
        address = f"127.0.0.1:{free_port()}"
        listen = ["--listen", address] if "serve" in command else ["--port", address.rpartition(":")[2]]
        done = cloudlet(*command, *listen, "--data", str(tmp_path / "data"), "--store", url)
        assert (done.returncode, done.stdout) == (1, "")
        assert url.partition("@")[0] not in done.stderr
        return done.stderr

    server.start()
    try:
        where = f"cannot connect to PostgreSQL at 127.0.0.1:{server.port}"
        for command in (["up"], ["up", "--isolate"]):
            assert f'{where}/postgres: password authentication failed for user "postgres"' in said(
                store("no"), *command
            )
        assert f'{where}/none: database "none" does not exist' in said(store("right", "none"), "up")
        server.stop()
        with Server.start("--data", str(tmp_path / "data"), "--store", store("right")) as started:
            server.start()
            queue = Aws(started.endpoint, fresh_account()).client("sqs").create_queue(QueueName="q")
            assert queue["QueueUrl"]
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_a_server_that_was_never_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_PATIENCE_SECONDS", 0.3)

    async def main() -> None:
        store = PostgresStore(f"postgresql://me:secret@127.0.0.1:{free_port()}/db", fresh_keyspace())
        with pytest.raises(StoreError, match="cannot connect to PostgreSQL at 127") as caught:
            await store.transact(everything)
        assert "secret" not in str(caught.value)
        await asyncio.wait_for(store.close(), 5)

    asyncio.run(main())


def test_what_the_server_refuses_is_told_at_once() -> None:
    async def main() -> None:
        store = PostgresStore(shared_server().url + "-is-not-there", fresh_keyspace())
        began = time.monotonic()
        with pytest.raises(StoreError, match="does not exist"):
            await store.transact(everything)
        assert time.monotonic() - began < engine._PATIENCE_SECONDS / 2
        await store.close()

    asyncio.run(main())


def test_a_backend_that_hangs_is_given_up_and_settled(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was asked may still be done, but then it is not done again on another connection."""
    monkeypatch.setattr(session, "_COMMIT_SECONDS", 0.3)
    monkeypatch.setattr(session, "_READ_SECONDS", 0.3)

    async def main() -> None:
        store = PostgresStore(server.url, fresh_keyspace())
        load = Load([store])
        administrator = await asyncpg.connect(server.url)
        for _ in range(5):
            await load.more()
            caplog.clear()
            rows = await administrator.fetch(
                "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            for row in rows:
                os.kill(row["pid"], signal.SIGSTOP)
            await until(lambda: "no answer within" in caplog.text)
            for row in rows:
                os.kill(row["pid"], signal.SIGCONT)
        await load.more()
        await load.end()
        await load.check(store)
        await store.close()
        await administrator.close()

    asyncio.run(main())


HANGING = """
import asyncio, sys
from cloudlet.store.postgres import PostgresStore

async def main():
    store = PostgresStore(sys.argv[1], sys.argv[2])
    async def add(tx):
        tx.add(b"other", 1)
    async def work():
        while True:
            await store.transact(add)
    workers = [asyncio.create_task(work()) for _ in range(4)]
    await store.transact(add)
    print("at work", flush=True)
    await asyncio.gather(*workers)

asyncio.run(main())
"""


def test_a_process_that_hangs_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        keyspace = fresh_keyspace()
        url = shared_server().url
        store = PostgresStore(url, keyspace)
        command: list[Any] = [sys.executable, "-c", HANGING, url, keyspace]
        with Popen(command, stdout=PIPE, cwd=Path(__file__).parents[2]) as other:
            try:
                assert other.stdout is not None
                assert await asyncio.to_thread(other.stdout.readline) == b"at work\n"
                load = Load([store])
                for _ in range(5):
                    await load.more(50)
                    other.send_signal(signal.SIGSTOP)
                    await load.more(50)
                    other.send_signal(signal.SIGCONT)
                await load.end()
                assert not load.failed
                await load.check(store)
            finally:
                other.kill()
        await store.close()

    asyncio.run(main())


def test_a_log_tells_of_a_server_that_is_down_in_few_words(tmp_path: Path) -> None:
    port, nobody = str(free_port()), free_port()
    store = f"postgresql://localhost:{nobody}/cloudlet"
    started = cloudlet("up", "--detach", "--port", port, "--data", str(tmp_path), "--store", store)
    assert started.returncode == 0, started.stderr
    try:
        sqs = Aws(f"http://localhost:{port}", "123456789012").client("sqs")
        # By then every job has failed, some of them several times.
        for _ in range(3):
            with pytest.raises(sqs.exceptions.ClientError, match="ServiceUnavailable"):
                sqs.list_queues()
    finally:
        assert cloudlet("down", "--port", port).returncode == 0
    log = (tmp_path / "cloudlet.log").read_text()
    assert "the store sqs is down: cannot connect to PostgreSQL" in log
    assert "the job expire_messages of sqs has to wait: cannot connect to PostgreSQL" in log
    assert "Traceback" not in log
    assert log.count("the job expire_messages of sqs") == 1
