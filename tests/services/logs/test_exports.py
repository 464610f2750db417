"""Export tasks: the events of a log group as objects in a bucket."""

from __future__ import annotations

import asyncio
import gzip
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background import lease
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.service import Result
from cloudlet.services.logs import exporting, scanning
from cloudlet.store import pack
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.buckets import let_in
from tests.refused import code_of
from tests.services.logs.conftest import ACCOUNT, REGION, Call, LocalLogs
from tests.standing import eventually


def fill(logs: Any, at: int, **streams: int) -> None:
    """Create a log group `g` with so many events in each stream."""
    logs.create_log_group(logGroupName="g")
    for name, count in streams.items():
        name = name.replace("_", "/")
        logs.create_log_stream(logGroupName="g", logStreamName=name)
        events = [{"timestamp": at + number, "message": f"{name} {number}"} for number in range(count)]
        logs.put_log_events(logGroupName="g", logStreamName=name, logEvents=events)


def export(logs: Any, at: int, **more: Any) -> str:
    params = {"logGroupName": "g", "from": at - 1000, "to": at + 60_000, "destination": "b", **more}
    return str(logs.create_export_task(**params)["taskId"])


def status(logs: Any, task: str) -> str:
    return str(logs.describe_export_tasks(taskId=task)["exportTasks"][0]["status"]["code"])


def objects(s3: Any, bucket: str = "b") -> dict[str, bytes]:
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@pytest.fixture
def buckets(aws: Aws) -> Any:
    """A client of S3; there is a bucket."""
    s3 = aws.client("s3")
    bucket = f"b-{aws.account}"
    s3.create_bucket(Bucket=bucket)
    let_in(s3, bucket, "logs.amazonaws.com")
    return s3


def test_each_stream_becomes_an_object_with_lines(logs: Any, aws: Aws, buckets: Any) -> None:
    at, bucket = int(time.time() * 1000) + 5_000, f"b-{aws.account}"
    fill(logs, at, web_1=3, db=2, other=1)
    task = export(logs, at, destination=bucket, taskName="nightly", destinationPrefix="p", to=at + 1)
    eventually(lambda: status(logs, task), lambda seen: seen == "COMPLETED")
    found = objects(buckets, bucket)
    assert found.pop("aws-logs-write-test") == b"Permission Check Successful"
    stamps = [
        datetime.fromtimestamp(one / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for one in (at, at + 1)
    ]
    assert {key: gzip.decompress(data).decode() for key, data in found.items()} == {
        f"p/{task}/db/000000.gz": f"{stamps[0]} db 0\n{stamps[1]} db 1\n",
        f"p/{task}/other/000000.gz": f"{stamps[0]} other 0\n",
        f"p/{task}/web-1/000000.gz": f"{stamps[0]} web/1 0\n{stamps[1]} web/1 1\n",
    }
    (shown,) = logs.describe_export_tasks(statusCode="COMPLETED")["exportTasks"]
    assert shown["executionInfo"]["completionTime"] >= shown["executionInfo"]["creationTime"]
    assert (shown["taskName"], shown["destinationPrefix"], shown["from"], shown["to"]) == (
        "nightly",
        "p",
        at - 1000,
        at + 1,
    )
    assert code_of(logs.cancel_export_task, taskId=task) == "InvalidOperationException"


def test_streams_that_share_a_folder_share_no_object(logs: Any, aws: Aws, buckets: Any) -> None:
    at, bucket = int(time.time() * 1000) + 5_000, f"b-{aws.account}"
    fill(logs, at, **{"a-b": 1, "a_b": 2, "b": 1})
    task = export(logs, at, destination=bucket)
    eventually(lambda: status(logs, task), lambda seen: seen == "COMPLETED")
    found = {key.split("/", 2)[2]: data for key, data in objects(buckets, bucket).items() if task in key}
    assert {key: gzip.decompress(data).count(b"\n") for key, data in found.items()} == {
        "a-b/000000.gz": 1,
        "a-b/000001.gz": 2,
        "b/000000.gz": 1,
    }


def test_streams_are_chosen_by_a_prefix_and_tasks_are_listed_in_pages(logs: Any, aws: Aws, buckets: Any) -> None:
    at, bucket = int(time.time() * 1000), f"b-{aws.account}"
    fill(logs, at, aa=1, ab=1, b=1)
    tasks = []
    for _ in range(3):
        task = export(logs, at, destination=bucket, logStreamNamePrefix="a")
        eventually(lambda task=task: status(logs, task), lambda seen: seen == "COMPLETED")  # type: ignore[misc]
        tasks.append(task)
    assert sorted(key for key in objects(buckets, bucket) if tasks[0] in key) == [
        f"exportedlogs/{tasks[0]}/aa/000000.gz",
        f"exportedlogs/{tasks[0]}/ab/000000.gz",
    ]
    page = logs.describe_export_tasks(limit=2)
    rest = logs.describe_export_tasks(nextToken=page["nextToken"])
    assert {one["taskId"] for one in page["exportTasks"] + rest["exportTasks"]} == set(tasks)
    assert logs.describe_export_tasks(statusCode="FAILED")["exportTasks"] == []


def test_a_range_in_seconds_is_taken_and_has_no_events(logs: Any, aws: Aws, buckets: Any) -> None:
    at, bucket = int(time.time() * 1000), f"b-{aws.account}"
    fill(logs, at, s=1)
    task = export(logs, at, destination=bucket, to=at // 1000 + 60, **{"from": at // 1000 - 60})
    eventually(lambda: status(logs, task), lambda seen: seen == "COMPLETED")
    assert list(objects(buckets, bucket)) == ["aws-logs-write-test"]


def test_a_task_that_makes_no_sense_is_refused(logs: Any, aws: Aws, buckets: Any) -> None:
    at, code = int(time.time() * 1000), "InvalidParameterException"
    bucket = f"b-{aws.account}"
    fill(logs, at, s=1)
    assert code_of(export, logs, at, destination=f"none-{aws.account}") == code
    assert code_of(export, logs, at, destination=bucket, **{"from": at + 2, "to": at + 1}) == code
    assert code_of(export, logs, at, destination=bucket, logGroupName="none") == "ResourceNotFoundException"
    assert code_of(logs.cancel_export_task, taskId="none") == "ResourceNotFoundException"
    assert logs.describe_export_tasks()["exportTasks"] == []


def test_a_task_is_carried_out_after_a_kill(tmp_path: Path) -> None:
    account, at = fresh_account(), int(time.time() * 1000)
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        logs, s3 = aws.client("logs"), aws.client("s3")
        s3.create_bucket(Bucket="bucket")
        fill(logs, at, **{f"s{number}": 50 for number in range(40)})
        task = export(logs, at, destination="bucket")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        logs, s3 = aws.client("logs"), aws.client("s3")
        eventually(lambda: status(logs, task), lambda seen: seen == "COMPLETED")
        found = {key: data for key, data in objects(s3, "bucket").items() if key.endswith(".gz")}
        assert len(found) == 40
        assert all(gzip.decompress(data).count(b"\n") == 50 for data in found.values())


def test_one_task_of_an_account_runs_and_can_be_cancelled(local: LocalLogs) -> None:
    def answer(call: Call) -> Result:
        if not call.params["Key"].endswith("test"):
            raise AwsError("ServiceUnavailable", "down", status=503)
        return {}

    local.cloud.played["s3"] = answer
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    event = {"timestamp": local.millis, "message": "m"}
    local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[event])

    def create() -> str:
        params: dict[str, Any] = {"logGroupName": "g", "from": 0, "to": local.millis, "destination": "b"}
        return str(local.call("CreateExportTask", **params)["taskId"])

    task = create()
    local.until(lambda: len(local.cloud.calls) == 2)
    with pytest.raises(AwsError, match="LimitExceeded"):
        create()
    local.call("CancelExportTask", taskId=task)
    (shown,) = local.call("DescribeExportTasks", taskId=task)["exportTasks"]
    assert shown["status"]["code"] == "CANCELLED"
    local.cloud.played["s3"] = lambda call: {}
    another = create()
    local.advance(10)
    for _ in range(100):
        (shown,) = local.call("DescribeExportTasks", taskId=another)["exportTasks"]
        if shown["status"]["code"] == "COMPLETED":
            break
        local.advance(1)
    assert [call.params["Key"] for call in local.cloud.calls][-1] == f"exportedlogs/{another}/s/000000.gz"


def test_a_task_that_is_cancelled_while_another_process_delivers_is_not_carried_out(local: LocalLogs) -> None:
    other = lease._Row(lease._Owner("elsewhere", 1, "token"), local.now + 10)

    async def take(tx: Transaction) -> None:
        tx.put(pack(("delivery-lease",)), lease._encode(other))

    # Before anything needs it here.
    local.transact(take)
    local.cloud.played["s3"] = lambda call: {}
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    event = {"timestamp": local.millis, "message": "m"}
    local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[event])
    whole: dict[str, Any] = {"from": 0, "to": local.millis}
    task = local.call("CreateExportTask", logGroupName="g", destination="b", **whole)["taskId"]
    local.run(local.settle())
    local.call("CancelExportTask", taskId=task)
    local.advance(11)
    assert [call.params["Key"] for call in local.cloud.calls] == ["aws-logs-write-test"]


def fill_locally(local: LocalLogs, *accounts: str) -> None:
    """Create a log group with four events in the only stream, in each account."""
    for account in accounts:
        principal = root(account)
        events = [{"timestamp": local.millis, "message": f"m{number}"} for number in range(4)]
        for operation, params in (
            ("CreateLogGroup", {"logGroupName": "g"}),
            ("CreateLogStream", {"logGroupName": "g", "logStreamName": "s"}),
            ("PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": events}),
        ):
            local.call_as(principal, operation, params, account=account)


def begin(local: LocalLogs, account: str) -> str:
    params = {"logGroupName": "g", "from": 0, "to": local.millis, "destination": "b"}
    return str(local.call_as(root(account), "CreateExportTask", params, account=account)["taskId"])


def code(local: LocalLogs, account: str, task: str) -> str:
    found = local.call_as(root(account), "DescribeExportTasks", {"taskId": task}, account=account)
    return str(found["exportTasks"][0]["status"]["code"])


def test_exports_take_turns_object_by_object(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_PART_BYTES", 1)
    monkeypatch.setattr(exporting, "_TASKS_AT_ONCE", 1)
    monkeypatch.setattr(scanning, "MOST_EVENTS", 1)
    accounts = "111111111111", "222222222222"
    fill_locally(local, *accounts)
    parts: list[str] = []
    is_down = True

    def answer(call: Call) -> Result:
        if call.params["Key"].endswith(".gz"):
            parts.append(call.account)
            if is_down:
                raise AwsError("ServiceUnavailable", "down", status=503)
        return {}

    local.cloud.played["s3"] = answer
    tasks = [begin(local, account) for account in accounts]
    # Both go on at the same time.
    local.until(lambda: set(parts) == set(accounts))
    is_down = False
    parts.clear()
    local.advance(5)
    local.until(lambda: [code(local, *one) for one in zip(accounts, tasks, strict=True)] == ["COMPLETED"] * 2)
    assert sorted(parts) == [accounts[0]] * 4 + [accounts[1]] * 4
    assert parts.index(accounts[1]) < 4


def test_a_task_that_is_cancelled_puts_no_more_objects(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_PART_BYTES", 1)
    monkeypatch.setattr(scanning, "MOST_EVENTS", 1)
    fill_locally(local, ACCOUNT)
    cancelling: list[asyncio.Task[Any]] = []

    def answer(call: Call) -> Result:
        if call.params["Key"].endswith("000001.gz"):
            params = {"taskId": call.params["Key"].split("/")[1]}
            cancel = local.cloud.call(
                "logs", "CancelExportTask", params, principal=root(ACCOUNT), account=ACCOUNT, region=REGION
            )
            cancelling.append(asyncio.ensure_future(cancel))
            raise AwsError("ServiceUnavailable", "down", status=503)
        return {}

    local.cloud.played["s3"] = answer
    task = begin(local, ACCOUNT)
    local.until(lambda: code(local, ACCOUNT, task) == "CANCELLED")
    count = len(local.cloud.calls)
    local.advance(10)
    assert len(local.cloud.calls) == count


def test_a_task_is_given_up_after_a_day(local: LocalLogs) -> None:
    fill_locally(local, ACCOUNT)

    def answer(call: Call) -> Result:
        if call.params["Key"].endswith("test"):
            return {}
        raise AwsError("ServiceUnavailable", "down", status=503)

    local.cloud.played["s3"] = answer
    task = begin(local, ACCOUNT)
    local.until(lambda: len(local.cloud.calls) == 2)
    assert code(local, ACCOUNT, task) == "RUNNING"
    local.advance(86_401)
    local.until(lambda: code(local, ACCOUNT, task) == "FAILED")
