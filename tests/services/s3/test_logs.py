"""Server access logs: a line for each request, in AWS's format, delivered to another bucket."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.services.s3.reports import access_log
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.s3.own_work import bucket, keys, let_in, strict_server
from tests.services.s3.raw import ask
from tests.standing import Standing, eventually

_FIELD = re.compile(r'\[[^]]*\]|"[^"]*"|\S+')
_NAMES = [
    "owner", "bucket", "time", "ip", "requester", "request", "operation", "key", "uri", "status", "error", "sent",
    "size", "total", "turnaround", "referer", "agent", "version", "host_id", "signature", "cipher", "authentication",
    "host", "tls", "access_point", "acl",
]  # fmt: skip


@pytest.fixture
def s3(account: Aws) -> Any:
    return account.client("s3")


def lines(s3: Any, target: str, prefix: str = "") -> list[dict[str, str]]:
    """Return the fields of all lines that were delivered, in the order of the deliveries."""
    found = []
    for key in keys(s3, target, prefix):
        for line in s3.get_object(Bucket=target, Key=key)["Body"].read().decode().splitlines():
            fields = _FIELD.findall(line)
            assert len(fields) == len(_NAMES), line
            found.append(dict(zip(_NAMES, fields, strict=True)))
    return found


def delivered(standing: Standing, s3: Any, target: str, prefix: str = "") -> list[dict[str, str]]:
    """Let a minute go by, and return what was delivered so far; where that was under way, it takes another minute."""
    standing.advance("1m")
    return lines(s3, target, prefix)


def log_to(standing: Standing, s3: Any, name: str, target: str, **more: Any) -> None:
    """Switch logs on, and wait until that holds."""
    let_in(s3, target, "logging.s3.amazonaws.com")
    enabled = {"TargetBucket": target, "TargetPrefix": "logs/", **more}
    s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": enabled})

    asked: list[set[str]] = []

    def told() -> set[str]:
        return {line["request"] for line in delivered(standing, s3, target)}

    def is_heard() -> bool:
        # Of replicas, each gets one of the two.
        asked.append({s3.head_bucket(Bucket=name)["ResponseMetadata"]["RequestId"] for _ in range(2)})
        seen = told()
        return any(each <= seen for each in asked)

    eventually(is_heard)
    # Lines come in their order: with the last of these, all have come.
    eventually(lambda: asked[-1] <= told())
    for key in keys(s3, target):
        s3.delete_object(Bucket=target, Key=key)


def test_each_request_is_a_line(standing: Standing, account: Aws, s3: Any) -> None:
    name, target = bucket(s3, versioned=True), bucket(s3)
    log_to(standing, s3, name, target)
    made = s3.put_object(Bucket=name, Key="a b", Body=b"hello")
    got = s3.get_object(Bucket=name, Key="a b", VersionId=made["VersionId"])
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=name, Key="absent")
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a b"}]})
    upload = s3.create_multipart_upload(Bucket=name, Key="big")["UploadId"]
    s3.upload_part(Bucket=name, Key="big", UploadId=upload, PartNumber=1, Body=b"part")
    s3.list_objects_v2(Bucket=name)
    s3.get_bucket_versioning(Bucket=name)
    found = eventually(lambda: delivered(standing, s3, target, "logs/"), lambda seen: len(seen) >= 8)
    # Each process writes files of its own.
    assert sorted((each["operation"], each["key"], each["status"], each["error"]) for each in found) == [
        ("REST.GET.BUCKET", "-", "200", "-"),
        ("REST.GET.OBJECT", "a%20b", "200", "-"),
        ("REST.GET.OBJECT", "absent", "404", "NoSuchKey"),
        ("REST.GET.VERSIONING", "-", "200", "-"),
        ("REST.POST.MULTI_OBJECT_DELETE", "-", "200", "-"),
        ("REST.POST.UPLOADS", "big", "200", "-"),
        ("REST.PUT.OBJECT", "a%20b", "200", "-"),
        ("REST.PUT.PART", "big", "200", "-"),
    ]
    read, put = (
        next(each for each in found if each["operation"] == f"REST.{verb}.OBJECT" and each["key"] == "a%20b")
        for verb in ("GET", "PUT")
    )
    assert read["owner"] == s3.list_buckets()["Owner"]["ID"]
    assert read["bucket"] == name
    assert read["ip"] == "127.0.0.1"
    assert read["requester"] == f"arn:aws:iam::{account.account}:root"
    assert read["request"] == got["ResponseMetadata"]["RequestId"]
    assert read["uri"] == f'"GET /{name}/a%20b HTTP/1.1"'
    assert (read["sent"], read["size"]) == ("5", "5")
    assert 0 <= int(put["turnaround"]) <= int(put["total"]) < 10_000
    assert read["version"] == made["VersionId"]
    assert "Boto3" in read["agent"]
    assert (read["signature"], read["authentication"]) == ("SigV4", "AuthHeader")
    assert re.fullmatch(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]", read["time"])


def test_nothing_that_is_sent_ends_a_field_or_a_line(standing: Standing, account: Aws, s3: Any) -> None:
    name, target = bucket(s3), bucket(s3)
    log_to(standing, s3, name, target)
    odd = account.client("s3", config=Config(user_agent='a "quoted" agent'))
    odd.head_bucket(Bucket=name)
    assert ask(account, "GET", f"/{name}/k?versionId=a%0Ab%20c", host="x y").status == 400
    found = eventually(lambda: delivered(standing, s3, target), lambda seen: len(seen) >= 2)
    agent, version = sorted(found, key=lambda line: line["version"])
    assert agent["agent"].startswith('"a %22quoted%22 agent')
    assert version["version"] == "a%0Ab%20c"


def test_names_may_tell_the_day(standing: Standing, account: Aws, s3: Any) -> None:
    name, target = bucket(s3), bucket(s3)
    partitioned = {"PartitionedPrefix": {"PartitionDateSource": "DeliveryTime"}}
    log_to(standing, s3, name, target, TargetObjectKeyFormat=partitioned)
    s3.head_bucket(Bucket=name)
    eventually(lambda: delivered(standing, s3, target))
    (key,) = keys(s3, target)
    day = s3.head_object(Bucket=target, Key=key)["LastModified"]
    assert re.fullmatch(
        rf"logs/{account.account}/us-east-1/{name}/{day:%Y/%m/%d}/{day:%Y-%m-%d-%H-%M}-\d\d-[0-9A-F]{{16}}", key
    )


def test_names_may_tell_the_day_of_the_requests(standing: Standing, account: Aws, s3: Any) -> None:
    name, target = bucket(s3), bucket(s3)
    partitioned = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    log_to(standing, s3, name, target, TargetObjectKeyFormat=partitioned)
    s3.head_bucket(Bucket=name)
    standing.advance("1d")
    eventually(lambda: delivered(standing, s3, target))
    (key,) = keys(s3, target)
    day = s3.head_object(Bucket=target, Key=key)["LastModified"] - timedelta(days=1)
    path = f"logs/{account.account}/us-east-1/{name}/{day:%Y/%m/%d}/{day:%Y-%m-%d}"
    assert re.fullmatch(rf"{path}-00-00-00-[0-9A-F]{{16}}", key)


def test_others_may_be_let_read_the_logs(standing: Standing, s3: Any) -> None:
    name, target = bucket(s3), bucket(s3, ObjectOwnership="ObjectWriter")
    s3.put_bucket_acl(Bucket=target, ACL="log-delivery-write")
    reader = standing.account().client("s3").list_buckets()["Owner"]["ID"]
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": reader}, "Permission": "READ"}
    log_to(standing, s3, name, target, TargetGrants=[grant])
    s3.head_bucket(Bucket=name)
    eventually(lambda: delivered(standing, s3, target))
    (key,) = keys(s3, target)
    grants = s3.get_object_acl(Bucket=target, Key=key)["Grants"]
    owner = s3.list_buckets()["Owner"]["ID"]
    assert {(each["Grantee"]["ID"], each["Permission"]) for each in grants} == {
        (reader, "READ"),
        (owner, "FULL_CONTROL"),
    }


def test_without_its_logging_a_bucket_has_no_lines(standing: Standing, s3: Any) -> None:
    name, other, target = bucket(s3), bucket(s3), bucket(s3)
    log_to(standing, s3, other, target)
    log_to(standing, s3, name, target)
    s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={})

    def only_of_the_other() -> bool:
        for key in keys(s3, target):
            s3.delete_object(Bucket=target, Key=key)
        for each in (name, other):
            s3.head_bucket(Bucket=each)
        return {line["bucket"] for line in eventually(lambda: delivered(standing, s3, target))} == {other}

    eventually(only_of_the_other)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=name)


def test_what_is_noted_is_delivered_when_the_server_ends(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        name, target = bucket(s3), bucket(s3)
        enabled = {"TargetBucket": target, "TargetPrefix": ""}
        s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": enabled})
        for _ in range(20):
            s3.head_bucket(Bucket=name)
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        assert {line["operation"] for line in lines(s3, target)} == {"REST.HEAD.BUCKET"}


def test_an_account_has_half_of_what_is_kept_of_lines_and_many_are_delivered_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_log, "_MOST_BYTES", 40_000)
    monkeypatch.setattr(access_log, "_MANY_BYTES", 10_000)
    waiting = access_log._Lines()

    def add(account: str, count: int) -> None:
        for _ in range(count):
            waiting.add(account, access_log._Line(f"of-{account}", 0.0, "x" * 244))

    add("1", 20)
    assert not waiting.changed.is_set()
    add("1", 80)
    add("2", 10)
    assert waiting.changed.is_set()
    assert dict(waiting.dropped) == {"1": 60}
    assert Counter(line.bucket for line in waiting.take()) == {"of-1": 40, "of-2": 10}
    add("1", 1)
    assert len(waiting.take()) == 1


def test_in_strict_mode_the_target_has_to_let_logs_in() -> None:
    with strict_server() as strict:
        s3, standing = strict.client("s3"), Standing(strict.server)
        name, closed = bucket(s3), bucket(s3)
        enabled = {"TargetBucket": closed, "TargetPrefix": ""}
        s3.put_bucket_logging(Bucket=bucket(s3), BucketLoggingStatus={"LoggingEnabled": enabled})
        by_policy, by_acl = bucket(s3), bucket(s3, ObjectOwnership="ObjectWriter")
        strict.admit(by_policy, "logging.s3.amazonaws.com", name)
        log_to(standing, s3, name, by_policy)
        refused = {"LoggingEnabled": {"TargetBucket": by_acl, "TargetPrefix": ""}}
        with pytest.raises(ClientError, match="InvalidTargetBucketForLogging"):
            s3.put_bucket_logging(Bucket=name, BucketLoggingStatus=refused)
        s3.put_bucket_acl(Bucket=by_acl, ACL="log-delivery-write")
        log_to(standing, s3, name, by_acl)
        s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": enabled})
        s3.head_bucket(Bucket=name)
        standing.advance("2m")
        log_to(standing, s3, name, by_policy)
        assert not keys(s3, closed)


def test_where_logs_cannot_go(aws: Aws) -> None:
    s3 = aws.client("s3")
    name = bucket(s3)
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_logging(
            Bucket=name, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "absent-target", "TargetPrefix": ""}}
        )
    assert caught.value.response["Error"]["Code"] == "InvalidTargetBucketForLogging"
