"""`cloudlet store copy`: a stopped Cloudlet's data goes from one engine to the other, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet


def test_a_cloudlet_moves_into_postgresql_and_back(tmp_path: Path) -> None:
    account, bodies = fresh_account(), {str(number) for number in range(30)}
    first, last = tmp_path / "first", tmp_path / "last"
    with Server.start("--data", str(first)) as server:
        sqs = Aws(server.endpoint, account).client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        for body in bodies:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        in_use = cloudlet("store", "copy", str(first), str(last))
        assert in_use.returncode == 1
        assert "another Cloudlet uses" in in_use.stderr
    with postgres_server.run_temporary_server() as database:
        copied = cloudlet("store", "copy", str(first), database.url)
        assert copied.returncode == 0, copied.stderr
        assert "\nsqs " in f"\n{copied.stdout}"
        again = cloudlet("store", "copy", str(first), database.url)
        assert again.returncode == 1
        assert "not empty" in again.stderr
        with Server.start("--store", database.url, "--data", str(tmp_path / "other")) as server:
            assert _bodies(server, account) == bodies
            assert "is not in the data folder" in cloudlet("reset", "--yes", "--port", server.port).stderr
        back = cloudlet("store", "copy", database.url, str(last))
        assert back.returncode == 0, back.stderr
    with Server.start("--data", str(last)) as server:
        assert _bodies(server, account) == bodies


def test_files_stay_in_the_data_folder_and_are_read_from_there(tmp_path: Path) -> None:
    account, large = fresh_account(), b"x" * 100_000
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        s3.create_bucket(Bucket=f"photos-{account}")
        s3.put_object(Bucket=f"photos-{account}", Key="desk", Body=large)
    with postgres_server.run_temporary_server() as database:
        assert cloudlet("store", "copy", str(tmp_path), database.url).returncode == 0
        elsewhere = cloudlet("up", "--port", "0", "--data", str(tmp_path / "other"), "--store", database.url)
        assert elsewhere.returncode == 1
        assert f"the files of this store are in {tmp_path}" in elsewhere.stderr
        assert cloudlet("store", "adopt", database.url, str(tmp_path)).returncode == 0
        with Server.start("--store", database.url, "--data", str(tmp_path)) as server:
            s3 = Aws(server.endpoint, account).client("s3")
            assert s3.get_object(Bucket=f"photos-{account}", Key="desk")["Body"].read() == large


def _bodies(server: Server, account: str) -> set[str]:
    """Return the bodies of all messages, which stay in the queue."""
    sqs = Aws(server.endpoint, account).client("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    found: list[Any] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += messages
    for message in found:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return {message["Body"] for message in found}


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [("mysql://localhost/x", 2, "PostgreSQL"), ("nothing-here", 1, "no data in nothing-here")],
)
def test_what_is_no_source_is_refused(source: str, code: int, said: str, tmp_path: Path) -> None:
    refused = cloudlet("store", "copy", source, str(tmp_path))
    assert refused.returncode == code
    assert said in refused.stderr
