"""Log groups whose events are encrypted under keys of KMS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.services.logs import row_record
from cloudlet.services.logs.encryption import OpenKey
from cloudlet.services.logs.row_record import Row, SealedRow
from cloudlet.testing.server import Aws
from tests.iam_users import allow, make_policy, running_strictly
from tests.refused import code_of, refused
from tests.services.logs.conftest import ACCOUNT, REGION, LocalLogs

STREAM = {"logGroupName": "g", "logStreamName": "s"}
SECRET = "a secret that is nowhere on disk"


def _refusal(aws: Aws, group: str) -> tuple[str, str]:
    arn = f"arn:aws:logs:{aws.region}:{aws.account}:log-group:{group}"
    return (
        "InvalidParameterException",
        f"The specified KMS key does not exist or is not allowed to be used with LogGroup '{arn}'",
    )


def _make_key(aws: Aws, **more: Any) -> str:
    """Create a key that lets CloudWatch Logs in."""
    admin = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{aws.account}:root"})
    uses = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    logs = allow(uses, Principal={"Service": f"logs.{aws.region}.amazonaws.com"})
    policy = {"Policy": make_policy(admin, logs)}
    return str(aws.client("kms").create_key(**{**policy, **more})["KeyMetadata"]["Arn"])


def test_a_sealed_row_is_opened_by_its_key() -> None:
    key, row = OpenKey(7, b"k" * 32, 0.0), Row(1, [2, 3], ["one", "two"])
    raw = row_record.encode(key.seal(row))
    assert b"one" not in raw
    sealed = row_record.decode(raw)
    assert isinstance(sealed, SealedRow)
    assert (row_record.is_sealed(raw), sealed.data_key, sealed.size) == (True, 7, row.size)
    assert key.open(sealed) == row
    assert not row_record.is_sealed(row_record.encode(row))


def test_a_group_is_made_with_a_key(aws: Aws, logs: Any) -> None:
    key = _make_key(aws)
    logs.create_log_group(logGroupName="g", kmsKeyId=key)
    (shown,) = logs.describe_log_groups()["logGroups"]
    assert shown["kmsKeyId"] == key
    logs.disassociate_kms_key(logGroupName="g")
    assert "kmsKeyId" not in logs.describe_log_groups()["logGroups"][0]
    other = _make_key(aws)
    logs.associate_kms_key(resourceIdentifier=shown["logGroupArn"], kmsKeyId=other)
    assert logs.describe_log_groups()["logGroups"][0]["kmsKeyId"] == other


def test_keys_that_cannot_be_used_are_refused(aws: Aws, logs: Any) -> None:
    kms = aws.client("kms")
    absent = f"arn:aws:kms:{aws.region}:{aws.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    disabled, pair = _make_key(aws), _make_key(aws, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    kms.disable_key(KeyId=disabled)
    for key in (absent, disabled, pair):
        assert refused(logs.create_log_group, logGroupName="g", kmsKeyId=key) == _refusal(aws, "g")
    assert code_of(logs.create_log_group, logGroupName="g", kmsKeyId="alias/x") == "InvalidParameterException"
    logs.create_log_group(logGroupName="g")
    assert refused(logs.associate_kms_key, logGroupName="g", kmsKeyId=absent) == _refusal(aws, "g")
    key = _make_key(aws)
    assert code_of(logs.associate_kms_key, kmsKeyId=key) == "InvalidParameterException"
    assert code_of(logs.associate_kms_key, logGroupName="absent", kmsKeyId=key) == "ResourceNotFoundException"
    assert code_of(logs.disassociate_kms_key, logGroupName="absent") == "ResourceNotFoundException"
    results = f"arn:aws:logs:{aws.region}:{aws.account}:query-result:*"
    assert code_of(logs.associate_kms_key, resourceIdentifier=results, kmsKeyId=key) == "NotImplemented"


def test_the_policy_of_a_key_must_name_cloudwatch_logs() -> None:
    with running_strictly() as server:
        owner = server.add_account()
        kms, logs = owner.client("kms"), owner.client("logs")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        assert refused(logs.create_log_group, logGroupName="g", kmsKeyId=key) == _refusal(owner, "g")
        of_group = f"arn:aws:logs:{owner.region}:{owner.account}:log-group:g"
        condition = {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": of_group}}
        service = {"Principal": {"Service": f"logs.{owner.region}.amazonaws.com"}}
        policy = make_policy(
            {**allow("kms:*"), "Principal": {"AWS": owner.account}},
            {**allow(["kms:GenerateDataKey*", "kms:Decrypt*"], Condition=condition), **service},
        )
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
        logs.create_log_group(logGroupName="g", kmsKeyId=key)
        assert refused(logs.create_log_group, logGroupName="h", kmsKeyId=key) == _refusal(owner, "h")


class _Encrypted:
    """A log group with a key, within this process."""

    def __init__(self, folder: Path) -> None:
        config = Config(data=folder, services=frozenset({"logs", "kms", "cloudwatch"}), durable=False)
        self.logs = LocalLogs(folder, config)
        self.key = self.ask_kms("CreateKey")["KeyMetadata"]["Arn"]
        self.logs.call("CreateLogGroup", logGroupName="g", kmsKeyId=self.key)
        self.logs.call("CreateLogStream", **STREAM)

    def ask_kms(self, operation: str, **params: Any) -> Any:
        return self.logs.call(operation, service="kms", **params)

    def put(self, message: str = SECRET) -> None:
        event = {"timestamp": self.logs.millis, "message": message}
        self.logs.call("PutLogEvents", logEvents=[event], **STREAM)

    def read(self) -> list[str]:
        return [each["message"] for each in self.logs.call("GetLogEvents", startFromHead=True, **STREAM)["events"]]


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[_Encrypted]:
    encrypted = _Encrypted(tmp_path)
    yield encrypted
    encrypted.logs.close()


def test_events_are_read_in_all_ways(encrypted: _Encrypted) -> None:
    logs = encrypted.logs
    encrypted.put()
    assert encrypted.read() == [SECRET]
    found = logs.call("FilterLogEvents", logGroupName="g", filterPattern="secret")["events"]
    assert [event["message"] for event in found] == [SECRET]
    assert logs.call("FilterLogEvents", logGroupName="g", filterPattern="absent")["events"] == []
    seconds = logs.millis // 1000
    about = {
        "startTime": seconds - 60,
        "endTime": seconds + 60,
        "queryString": "fields @message | filter @message like /sec/",
    }
    query = logs.call("StartQuery", logGroupName="g", **about)["queryId"]
    logs.until(lambda: logs.call("GetQueryResults", queryId=query)["status"] == "Complete")
    # In this process results are objects, or JSON.
    (row,) = logs.call("GetQueryResults", queryId=query)["results"]
    fields = {each["field"]: each["value"] for each in row}
    assert fields["@message"] == SECRET
    record = logs.call("GetLogRecord", logRecordPointer=fields["@ptr"])["logRecord"]
    assert record["@message"] == SECRET


def test_what_is_subscribed_is_delivered(encrypted: _Encrypted) -> None:
    logs = encrypted.logs
    logs.cloud.played["lambda"] = lambda call: {}
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    filter = {"filterName": "f", "filterPattern": "secret", "destinationArn": function}
    logs.call("PutSubscriptionFilter", logGroupName="g", **filter)
    logs.cloud.calls.clear()
    encrypted.put()
    logs.until(lambda: bool(logs.cloud.calls))
    assert json.loads(logs.cloud.calls[0].params["Payload"])["awslogs"]["data"]


def test_nothing_of_them_is_on_disk(tmp_path: Path) -> None:
    encrypted = _Encrypted(tmp_path)
    encrypted.put()
    assert encrypted.read() == [SECRET]
    encrypted.logs.close()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


def test_older_events_need_the_key_that_they_were_encrypted_under(encrypted: _Encrypted) -> None:
    logs = encrypted.logs
    encrypted.put("first")
    logs.call("DisassociateKmsKey", logGroupName="g")
    encrypted.put("plain")
    other = encrypted.ask_kms("CreateKey")["KeyMetadata"]["Arn"]
    logs.call("AssociateKmsKey", logGroupName="g", kmsKeyId=other)
    logs.clock.advance(1)
    encrypted.put("second")
    assert encrypted.read() == ["first", "plain", "second"]


def test_without_the_key_nothing_is_read_or_put(encrypted: _Encrypted) -> None:
    encrypted.put()
    encrypted.ask_kms("DisableKey", KeyId=encrypted.key)
    # For some minutes the data key is known.
    assert encrypted.read() == [SECRET]
    encrypted.logs.clock.advance(301)
    for call in (encrypted.read, encrypted.put):
        with pytest.raises(AwsError) as caught:
            call()
        assert caught.value.code == "AccessDeniedException"
        assert caught.value.message.startswith(f"CloudWatch Logs cannot use the KMS key {encrypted.key}: ")
    encrypted.ask_kms("EnableKey", KeyId=encrypted.key)
    encrypted.put("again")
    assert encrypted.read() == [SECRET, "again"]


def test_clients_put_and_read_events(aws: Aws, logs: Any) -> None:
    logs.create_log_group(logGroupName="g", kmsKeyId=_make_key(aws))
    logs.create_log_stream(**STREAM)
    now = int(time.time() * 1000)
    logs.put_log_events(logEvents=[{"timestamp": now + n, "message": f"m{n}"} for n in range(200)], **STREAM)
    assert len(logs.get_log_events(startFromHead=True, **STREAM)["events"]) == 200
    logs.delete_log_group(logGroupName="g")
