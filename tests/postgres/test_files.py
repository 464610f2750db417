"""Files of the data folder, where rows are in a PostgreSQL."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.standing import eventually

LARGE = b"x" * 100_000
"""What is not kept in a row."""
_DAYS_AGO = 3 * 24 * 3600


def test_a_start_without_the_store_or_with_another_one_removes_no_files(tmp_path: Path) -> None:
    """What no row refers to is removed when it is a day old: rows of the store that it is of."""
    account, files = fresh_account(), tmp_path / "blocks" / "s3" / "blobs"
    with postgres_server.run_temporary_server() as database:
        for store in ([], ["--store", database.url]):
            with Server.start("--data", str(tmp_path), *store) as server:
                s3 = Aws(server.endpoint, account).client("s3")
                s3.create_bucket(Bucket="photos")
                s3.put_object(Bucket="photos", Key="desk", Body=LARGE)
        [with_mark] = [file for file in files.glob("??/*") if "-" in file.name]
        for store, mark in (["--store", database.url], with_mark.name[32:]), ([], ""):
            orphan = files / "00" / f"{'0' * 32}{mark}"
            orphan.parent.mkdir(exist_ok=True)
            orphan.write_bytes(LARGE)
            for file in files.glob("??/*"):
                os.utime(file, (time.time() - _DAYS_AGO,) * 2)
            kept = ["--keep-files", "10s"] if store else []
            with Server.start("--data", str(tmp_path), *store, *kept) as server:
                eventually(lambda file=orphan: not file.exists())
                got = Aws(server.endpoint, account).client("s3").get_object(Bucket="photos", Key="desk")
                assert got["Body"].read() == LARGE
        with Server.start("--data", str(tmp_path), "--store", database.url) as server:
            got = Aws(server.endpoint, account).client("s3").get_object(Bucket="photos", Key="desk")
            assert got["Body"].read() == LARGE
