"""Rotation: new material encrypts, and what was encrypted before decrypts as ever."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key
from tests.standing import Standing, eventually


@pytest.fixture
def kms(account: Aws) -> Any:
    return account.client("kms")


def _get_rotations(kms: Any, key: str, **params: Any) -> list[dict[str, Any]]:
    return list(kms.list_key_rotations(KeyId=key, **params)["Rotations"])


def test_a_key_is_rotated_each_period(standing: Standing, kms: Any) -> None:
    key = create_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    first = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    standing.advance("90d")
    rotations = eventually(lambda: _get_rotations(kms, key))
    assert (rotations[0]["RotationType"], rotations[0]["KeyMaterialState"]) == ("AUTOMATIC", "CURRENT")
    assert rotations[0]["RotationDate"] == status["NextRotationDate"]
    now = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    old, new = kms.decrypt(CiphertextBlob=blob), kms.decrypt(CiphertextBlob=now)
    assert (old["Plaintext"], old["KeyMaterialId"]) == (b"old", first)
    assert (new["Plaintext"], new["KeyMaterialId"]) == (b"new", rotations[0]["KeyMaterialId"])
    standing.advance("90d")
    assert eventually(lambda: len(_get_rotations(kms, key)), lambda count: count == 2)
    materials = _get_rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [each["KeyMaterialState"] for each in materials] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]
    assert materials[0]["KeyMaterialId"] == first
    kms.disable_key_rotation(KeyId=key)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


def test_a_disabled_key_is_rotated_once_it_is_enabled(standing: Standing, kms: Any) -> None:
    key, other = create_key(kms), create_key(kms)
    for each in (key, other):
        kms.enable_key_rotation(KeyId=each, RotationPeriodInDays=90)
    kms.disable_key(KeyId=key)
    standing.advance("100d")
    eventually(lambda: _get_rotations(kms, other))
    assert _get_rotations(kms, key) == []
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.enable_key(KeyId=key)
    eventually(lambda: _get_rotations(kms, key))


def test_pending_deletion_rotates_nothing(kms: Any) -> None:
    key = create_key(kms)
    kms.enable_key_rotation(KeyId=key)
    kms.schedule_key_deletion(KeyId=key)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.cancel_key_deletion(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 365


def test_rotation_on_demand_has_a_limit(kms: Any) -> None:
    key = create_key(kms)
    blobs = []
    for number in range(25):
        blobs.append(kms.encrypt(KeyId=key, Plaintext=str(number).encode())["CiphertextBlob"])
        kms.rotate_key_on_demand(KeyId=key)
    assert code_of(kms.rotate_key_on_demand, KeyId=key) == "LimitExceededException"
    assert [kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in blobs] == [str(n).encode() for n in range(25)]
    first = kms.list_key_rotations(KeyId=key, Limit=20)
    rest = kms.list_key_rotations(KeyId=key, Limit=20, Marker=first["NextMarker"])
    assert (len(first["Rotations"]), len(rest["Rotations"]), rest["Truncated"]) == (20, 5, False)
    assert rest["Rotations"][-1]["RotationType"] == "ON_DEMAND"


def test_keys_that_are_not_rotated(kms: Any) -> None:
    pair = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    for call in (kms.enable_key_rotation, kms.rotate_key_on_demand, kms.list_key_rotations):
        assert code_of(call, KeyId=pair["KeyId"]) == "UnsupportedOperationException"
    imported = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
    assert refused(kms.enable_key_rotation, KeyId=imported["KeyId"]) == (
        "UnsupportedOperationException",
        f"{imported['Arn']} origin is EXTERNAL which is not valid for this operation.",
    )
    key = create_key(kms)
    kms.disable_key(KeyId=key)
    assert code_of(kms.enable_key_rotation, KeyId=key) == "DisabledException"
    assert code_of(kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=2561) == "ValidationException"


def test_a_managed_key_is_rotated_each_year(standing: Standing, kms: Any) -> None:
    key = kms.describe_key(KeyId="alias/aws/sqs")["KeyMetadata"]["KeyId"]
    standing.advance("365d")
    assert eventually(lambda: _get_rotations(kms, key))[0]["RotationType"] == "AUTOMATIC"


def test_a_key_is_deleted_when_its_time_has_come(standing: Standing, account: Aws, kms: Any) -> None:
    key, kept = create_key(kms), create_key(kms)
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    retiree = f"arn:aws:iam::{account.account}:role/app"
    kms.create_grant(
        KeyId=key, GranteePrincipal=retiree, RetiringPrincipal=retiree, Operations=["Encrypt"], Name="named"
    )
    for each in (key, kept):
        kms.schedule_key_deletion(KeyId=each, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=kept)
    standing.advance("6d")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    standing.advance("1d")
    eventually(lambda: kms.list_keys()["Keys"], lambda keys: [each["KeyId"] for each in keys] == [kept])
    assert code_of(kms.describe_key, KeyId=key) == "NotFoundException"
    assert kms.list_aliases()["Aliases"] == []
    assert kms.list_retirable_grants(RetiringPrincipal=retiree)["Grants"] == []


def test_events_tell_of_rotations_and_deletions(standing: Standing, account: Aws, kms: Any) -> None:
    sqs, events = account.client("sqs"), account.client("events")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="kms", EventPattern='{"source":["aws.kms"]}')
    events.put_targets(Rule="kms", Targets=[{"Id": "1", "Arn": arn, "InputPath": "$.detail-type"}])
    rotated, deleted = create_key(kms), create_key(kms)
    kms.enable_key_rotation(KeyId=rotated, RotationPeriodInDays=90)
    kms.schedule_key_deletion(KeyId=deleted, PendingWindowInDays=7)
    standing.advance("90d")
    told: set[str] = set()

    def receive() -> set[str]:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            told.add(message["Body"])
        return told

    eventually(receive, lambda found: found == {'"KMS CMK Rotation"', '"KMS CMK Deletion"'})
