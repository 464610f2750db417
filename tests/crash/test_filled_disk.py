"""A disk that other programs have filled: reads go on, deletes make room, a Cloudlet that was killed starts again."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server
from tests.crash import disks

ACCOUNT = "123456789012"
PAYLOAD = "x" * 2000


def _client(server: Server, service: str) -> Any:
    return Aws(server.endpoint, ACCOUNT).client(service, config=Config(retries={"max_attempts": 0}))


def _make(server: Server) -> None:
    dynamodb = _client(server, "dynamodb")
    dynamodb.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(20):
        dynamodb.put_item(TableName="table", Item={"k": {"S": str(number)}, "v": {"S": PAYLOAD}})
    sqs = _client(server, "sqs")
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=PAYLOAD)
    _client(server, "logs").create_log_group(logGroupName="g")
    s3 = _client(server, "s3")
    s3.create_bucket(Bucket="full-disk")
    s3.put_object(Bucket="full-disk", Key="small", Body=b"here")
    s3.put_object(Bucket="full-disk", Key="large", Body=os.urandom(2 << 20))


def _assert_reads_go_on(server: Server) -> None:
    assert _client(server, "dynamodb").scan(TableName="table")["Count"] >= 20
    assert [
        g["logGroupName"] for g in _client(server, "logs").describe_log_groups(logGroupNamePrefix="g")["logGroups"]
    ] == ["g"]
    s3 = _client(server, "s3")
    assert {"large", "small"} <= {each["Key"] for each in s3.list_objects_v2(Bucket="full-disk")["Contents"]}
    assert s3.get_object(Bucket="full-disk", Key="small")["Body"].read() == b"here"
    assert _client(server, "sqs").list_queues()["QueueUrls"] == [f"{server.endpoint}/{ACCOUNT}/q"]


def _assert_writes_are_refused(server: Server) -> None:
    sqs = _client(server, "sqs")
    writes = [
        lambda: _client(server, "dynamodb").put_item(
            TableName="table", Item={"k": {"S": secrets.token_hex(8)}, "v": {"S": PAYLOAD}}
        ),
        lambda: sqs.send_message(QueueUrl=f"{server.endpoint}/{ACCOUNT}/q", MessageBody=PAYLOAD),
        lambda: _client(server, "logs").create_log_group(logGroupName=secrets.token_hex(200)),
        lambda: _client(server, "s3").put_object(Bucket="full-disk", Key="new", Body=os.urandom(2 << 20)),
    ]
    for write in writes:
        assert _status_once_refused(write) >= 500


def _status_once_refused(write: Callable[[], object]) -> int:
    """Write until that is refused: how much room there is, is looked at four times a second. Return the status."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            write()
        except ClientError as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    pytest.fail("a full disk takes more and more")


@disks.needs_root
def test_a_full_disk_stops_no_read_no_delete_and_no_start(tmp_path: Path) -> None:
    image = tmp_path / "image"
    disks.make(image, 300)
    with disks.mounted(image, tmp_path / "disk") as disk:
        data = str(disk / "data")
        with Server.start("--data", data) as server:
            _make(server)
            ballast = disks.fill(disk)
            _assert_writes_are_refused(server)
            _assert_reads_go_on(server)
            server.kill()
        with Server.start("--data", data) as server:
            _assert_reads_go_on(server)
            _assert_writes_are_refused(server)
            sqs = _client(server, "sqs")
            url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
            message = sqs.receive_message(QueueUrl=url)["Messages"][0]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            _client(server, "dynamodb").delete_item(TableName="table", Key={"k": {"S": "0"}})
            _client(server, "logs").delete_log_group(logGroupName="g")
            _client(server, "s3").delete_object(Bucket="full-disk", Key="large")
            ballast.unlink()
            _await_room(lambda: _client(server, "dynamodb").put_item(TableName="table", Item={"k": {"S": "after"}}))


def _await_room(write: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            write()
        except ClientError:
            assert time.monotonic() < end
        else:
            return
