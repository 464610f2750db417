"""Values are encrypted by KMS keys, with the permissions of whoever calls."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.services.secretsmanager.cloud import SecretCloud, make_token
from tests.standing import eventually


def _make_key(cloud: SecretCloud) -> tuple[Any, str]:
    kms = cloud.aws.client("kms")
    return kms, kms.create_key()["KeyMetadata"]["Arn"]


def _key_ids(cloud: SecretCloud) -> list[list[str]]:
    return [each["KmsKeyIds"] for each in cloud.client.list_secret_version_ids(SecretId="s")["Versions"]]


def test_a_key_of_ones_own_encrypts(cloud: SecretCloud) -> None:
    kms, key = _make_key(cloud)
    cloud.create(KmsKeyId=key)
    assert cloud.client.describe_secret(SecretId="s")["KmsKeyId"] == key
    assert _key_ids(cloud) == [[key]]
    kms.disable_key(KeyId=key)
    code, message = cloud.refused("get_secret_value", SecretId="s")
    assert code == "DecryptionFailure"
    assert message.startswith("Secrets Manager can't decrypt the protected secret text using the provided KMS key.")
    code, message = cloud.refused("put_secret_value", SecretId="s", SecretString="x")
    assert code == "EncryptionFailure"
    assert message.startswith("Secrets Manager can't encrypt the protected secret text using the provided KMS key.")
    kms.enable_key(KeyId=key)
    assert cloud.value() == "first"


def test_a_key_can_be_named_by_its_alias(cloud: SecretCloud) -> None:
    kms, key = _make_key(cloud)
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    cloud.create(KmsKeyId="alias/mine")
    assert cloud.client.describe_secret(SecretId="s")["KmsKeyId"] == "alias/mine"
    _, other = _make_key(cloud)
    kms.update_alias(AliasName="alias/mine", TargetKeyId=other)
    assert cloud.value() == "first"


def test_a_key_that_is_not_there_encrypts_nothing(cloud: SecretCloud) -> None:
    absent = "12345678-1234-1234-1234-123456789012"
    assert cloud.refused("create_secret", Name="s", SecretString="x", KmsKeyId=absent)[0] == "EncryptionFailure"
    assert cloud.names() == []


def test_versions_in_use_get_a_new_key_besides(cloud: SecretCloud) -> None:
    kms, first = _make_key(cloud)
    _, second = _make_key(cloud)
    cloud.create(KmsKeyId=first, ClientRequestToken=make_token(1))
    cloud.client.put_secret_value(SecretId="s", SecretString="second", ClientRequestToken=make_token(2))
    cloud.client.update_secret(SecretId="s", KmsKeyId=second)
    assert _key_ids(cloud) == [[first, second], [first, second]]
    kms.disable_key(KeyId=first)
    assert (cloud.value(), cloud.value(VersionStage="AWSPREVIOUS")) == ("second", "first")
    kms.enable_key(KeyId=first)
    kms.disable_key(KeyId=second)
    assert cloud.value() == "second"


def test_an_empty_key_means_the_one_that_aws_manages(cloud: SecretCloud) -> None:
    _, key = _make_key(cloud)
    cloud.create(KmsKeyId=key)
    cloud.client.update_secret(SecretId="s", KmsKeyId="")
    assert "KmsKeyId" not in cloud.client.describe_secret(SecretId="s")
    assert _key_ids(cloud) == [[key, "DefaultEncryptionKey"]]
    cloud.client.update_secret(SecretId="s", KmsKeyId=key, SecretString="second")
    assert cloud.value() == "second"


def test_kms_is_told_what_it_encrypts(cloud: SecretCloud) -> None:
    _, key = _make_key(cloud)
    arn = cloud.create(KmsKeyId=key, ClientRequestToken=make_token(1))
    cloud.value()
    trail = cloud.aws.client("cloudtrail")

    def seen() -> dict[str, str]:
        found = trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com"}]
        )
        return {each["EventName"]: each["CloudTrailEvent"] for each in found["Events"]}

    events = eventually(seen, lambda events: {"GenerateDataKey", "Decrypt"} <= events.keys())
    for name in ("GenerateDataKey", "Decrypt"):
        assert arn in events[name]
        assert make_token(1) in events[name]
        assert "secretsmanager.amazonaws.com" in events[name]


def test_no_record_and_no_file_has_a_value(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("data")
    with Server.start("--data", str(data)) as server, server.account() as aws:
        cloud = SecretCloud(aws)
        cloud.create(SecretString="correct-horse-battery")
        cloud.client.put_secret_value(SecretId="s", SecretString="correct-horse-battery")
        cloud.client.update_secret(SecretId="s", SecretBinary=b"correct-horse-battery")
        cloud.client.get_secret_value(SecretId="s")
        trail = aws.client("cloudtrail")
        eventually(
            lambda: [each["EventName"] for each in trail.lookup_events()["Events"]], lambda e: "GetSecretValue" in e
        )
        assert "correct-horse" not in str(trail.lookup_events()["Events"])
    kept = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert b"correct-horse" not in kept


def test_without_kms_nothing_is_lost(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("data")
    with Server.start("--data", str(data)) as server:
        cloud = SecretCloud(Aws(server.endpoint, "123456789012"))
        cloud.create()
    with Server.start("--data", str(data), "--services", "secretsmanager") as server:
        cloud = SecretCloud(Aws(server.endpoint, "123456789012"))
        assert cloud.refused("get_secret_value", SecretId="s")[0] == "InternalServiceError"
        assert cloud.refused("put_secret_value", SecretId="s", SecretString="x")[0] == "InternalServiceError"
        assert cloud.names() == ["s"]
    with Server.start("--data", str(data)) as server:
        assert SecretCloud(Aws(server.endpoint, "123456789012")).value() == "first"
