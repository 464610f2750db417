"""Backups of the database, and the files that go with them: docs/postgresql.md, "Backups"."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cloudlet.engines import postgres_server
from cloudlet.store import pack
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.postgres.server import fresh_database
from tests.standing import eventually

OLD, NEW = b"old" * 50_000, b"new" * 50_000
"""What is not kept in a row."""


def s3(server: Server, account: str) -> Any:
    return Aws(server.endpoint, account).client("s3")


def content(server: Server, account: str, key: str = "desk") -> bytes:
    body: bytes = s3(server, account).get_object(Bucket=f"photos-{account}", Key=key)["Body"].read()
    return body


def dumped(database: str, file: Path) -> None:
    """Write a backup of the schema, as docs/postgresql.md has it."""
    command = [postgres_server.find() / "pg_dump", "--schema=cloudlet", "--format=custom", f"--file={file}", database]
    subprocess.run(command, check=True)


def restored(file: Path, database: str) -> None:
    command = [postgres_server.find() / "pg_restore", "--clean", "--if-exists", f"--dbname={database}", file]
    subprocess.run(command, check=True)


def garbage(database: str) -> int:
    """Return how many files of S3 wait for their removal."""

    async def ask() -> int:
        connection = await asyncpg.connect(database)
        try:
            question = "SELECT count(*) FROM cloudlet.rows_s3 WHERE substr(key, 1, $2) = $1"
            prefix = pack(("garbage",))
            return int(await connection.fetchval(question, prefix, len(prefix)))
        finally:
            await connection.close()

    return asyncio.run(ask())


def advanced(server: Server, duration: str) -> None:
    assert cloudlet("clock", "advance", duration, "--port", server.port).returncode == 0


def test_what_was_overwritten_after_a_backup_is_there_again_when_that_is_restored(tmp_path: Path) -> None:
    account, database, data = fresh_account(), fresh_database(), tmp_path / "data"
    options = "--data", str(data), "--store", database
    with Server.start(*options) as server:
        s3(server, account).create_bucket(Bucket=f"photos-{account}")
        for key in ("desk", "lamp"):
            s3(server, account).put_object(Bucket=f"photos-{account}", Key=key, Body=OLD)
        dumped(database, tmp_path / "dump")
        s3(server, account).put_object(Bucket=f"photos-{account}", Key="desk", Body=NEW)
        s3(server, account).delete_object(Bucket=f"photos-{account}", Key="lamp")
        advanced(server, "6d")
        assert garbage(database) == 2
    # Rows first, then files: those of a later moment have all that the rows name.
    shutil.copytree(data, tmp_path / "copy")
    for folder in (data, tmp_path / "copy"):
        restored(tmp_path / "dump", database)
        if folder != data:
            adopted = cloudlet("store", "adopt", database, str(folder))
            assert adopted.returncode == 0, adopted.stderr
        with Server.start("--data", str(folder), "--store", database) as server:
            assert [content(server, account, key) for key in ("desk", "lamp")] == [OLD, OLD]


def test_files_are_removed_once_they_were_kept_for_long_enough(tmp_path: Path) -> None:
    account, database = fresh_account(), fresh_database()
    options = "--data", str(tmp_path), "--store", database, "--keep-files", "1h"
    with Server.start(*options) as server:
        s3(server, account).create_bucket(Bucket=f"photos-{account}")
        for body in (OLD, NEW):
            s3(server, account).put_object(Bucket=f"photos-{account}", Key="desk", Body=body)
        files = tmp_path / "blocks" / "s3" / "blobs"
        assert len(list(files.glob("??/*"))) == 2
        advanced(server, "61m")
        eventually(lambda: len(list(files.glob("??/*"))) == 1)
        assert content(server, account) == NEW


def test_a_restored_copy_beside_the_live_one_deletes_none_of_its_files(tmp_path: Path) -> None:
    account, live, copy, data = fresh_account(), fresh_database(), fresh_database(), str(tmp_path / "data")
    with Server.start("--data", data, "--store", live) as server:
        s3(server, account).create_bucket(Bucket=f"photos-{account}")
        for key in ("desk", "lamp"):
            s3(server, account).put_object(Bucket=f"photos-{account}", Key=key, Body=OLD)
        dumped(live, tmp_path / "dump")
        restored(tmp_path / "dump", copy)
        with Server.start("--data", data, "--store", copy, "--keep-files", "0s") as beside:
            assert content(beside, account) == OLD
            s3(beside, account).delete_object(Bucket=f"photos-{account}", Key="lamp")
            for body in (NEW, OLD):
                s3(beside, account).put_object(Bucket=f"photos-{account}", Key="desk", Body=body)
            assert garbage(copy) == 3
            # It has dealt with all of them, and has removed the one file that it has written itself.
            eventually(lambda: garbage(copy) == 0)
            assert content(beside, account) == OLD
        assert [content(server, account, key) for key in ("desk", "lamp")] == [OLD, OLD]
        assert len(list((tmp_path / "data" / "blocks" / "s3" / "blobs").glob("??/*"))) == 3


@pytest.mark.parametrize("command", [("up", "--port", "0"), ("serve", "s3", "--listen", "localhost:0")])
def test_a_process_with_another_data_folder_does_not_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    database = fresh_database()
    with Server.start("--data", str(tmp_path / "first"), "--store", database):
        shutil.copy(tmp_path / "first" / "master.key", tmp_path)
        second = tmp_path / "second"
        second.mkdir()
        shutil.copy(tmp_path / "master.key", second)
        refused = cloudlet(*command, "--data", str(second), "--store", database)
    assert refused.returncode == 1
    assert f"are in {tmp_path / 'first' / 'blocks'}" in refused.stderr
    assert "all processes need the same --data" in refused.stderr
    adopted = cloudlet("store", "adopt", database, str(second))
    assert adopted.returncode == 0, adopted.stderr
    with Server.start("--data", str(second), "--store", database):
        pass
