"""Processes of one block that share a PostgreSQL and a data folder: none takes the others' folders for left ones."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines import postgres_server
from tests.postgres.replicas import Replicas, replicas

LARGE = b"x" * 100_000
"""What is not kept in a row."""


@pytest.fixture
def database() -> Iterator[str]:
    with postgres_server.run_temporary_server() as server:
        yield server.url


def test_functions_go_on_while_another_process_starts_and_after_one_has_died(database: str, tmp_path: Path) -> None:
    with replicas("lambda", database, tmp_path, 1, data=tmp_path) as running:
        _create(running, "first")
        assert _invoked(running, 0, "first") == b"true"
        running.start()
        assert _invoked(running, 1, "first") == b"true"
        # A function that waits for its next invocation, and one that starts now.
        assert _invoked(running, 0, "first") == b"true"
        _create(running, "second")
        assert [_invoked(running, number, "second") for number in (0, 1)] == [b"true", b"true"]
        folders = tmp_path / "sandboxes" / "lambda"
        assert len(list(folders.iterdir())) == 2
        running.kill(1)
        running.revive(1)
        assert [_invoked(running, number, "first") for number in (0, 1)] == [b"true", b"true"]


def test_an_asynchronous_invocation_is_made_once(database: str, tmp_path: Path) -> None:
    with (
        replicas("sqs", database, tmp_path, 1) as queues,
        replicas(
            "lambda",
            database,
            tmp_path,
            data=tmp_path,
            peers=(f"sqs={queues.endpoint(0)}",),
            account=queues.account,
            key=queues.key,
        ) as running,
    ):
        sqs = queues.client(0)
        queue = sqs.create_queue(QueueName="told")["QueueUrl"]
        _create(running, "f")
        told = {"Destination": f"arn:aws:sqs:us-east-1:{queues.account}:told"}
        running.client(0).put_function_event_invoke_config(FunctionName="f", DestinationConfig={"OnSuccess": told})
        sent: set[str] = set()
        served: Counter[str] = Counter()
        # Whatever is served twice is so by the time that what comes later has been served.
        for count in (20, 21):
            while len(sent) < count:
                client = running.client(len(sent) % 2)
                answer = client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
                sent.add(answer["ResponseMetadata"]["RequestId"])
            while not sent <= served.keys():
                found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]
                served.update(json.loads(message["Body"])["requestContext"]["requestId"] for message in found)
        assert set(served.values()) == {1}


def _create(running: Replicas, name: str) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("index.py", "import os\ndef handler(event, context): return os.path.exists(__file__)")
    client = running.client(0)
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"arn:aws:iam::{running.account}:role/{name}",
        Code={"ZipFile": package.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)


def _invoked(running: Replicas, number: int, name: str) -> Any:
    return running.client(number).invoke(FunctionName=name)["Payload"].read()


def test_large_objects_are_read_selected_and_deleted_by_any_process(database: str, tmp_path: Path) -> None:
    with replicas("s3", database, tmp_path, 1, data=tmp_path) as running:
        first = running.client(0)
        first.create_bucket(Bucket="photos")
        first.put_object(Bucket="photos", Key="desk", Body=b"a,b\n" * 500_000)
        query = {"CSV": {}}
        selected = first.select_object_content(
            Bucket="photos",
            Key="desk",
            Expression="SELECT * FROM S3Object",
            ExpressionType="SQL",
            InputSerialization=query,
            OutputSerialization=query,
        )
        running.start()
        second = running.client(1)
        rest = b"".join(event["Records"]["Payload"] for event in selected["Payload"] if "Records" in event)
        assert rest == b"a,b\n" * 500_000
        assert second.get_object(Bucket="photos", Key="desk")["Body"].read() == rest
        second.put_object(Bucket="photos", Key="desk", Body=LARGE)
        assert first.get_object(Bucket="photos", Key="desk")["Body"].read() == LARGE
