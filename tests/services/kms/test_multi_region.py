"""Multi-Region keys: related keys of several regions, which decrypt what each other has encrypted."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key, get_state
from tests.standing import Standing, eventually


@pytest.fixture
def kms(account: Aws) -> Any:
    return account.client("kms")


@pytest.fixture
def irish(account: Aws) -> Any:
    """KMS of the same account in another region."""
    return account.client("kms", region_name="eu-west-1")


def test_a_primary_key_and_its_replica(account: Aws, kms: Any, irish: Any) -> None:
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]
    key, arn = made["KeyId"], made["Arn"]
    assert key.startswith("mrk-")
    assert made["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": arn, "Region": "us-east-1"},
        "ReplicaKeys": [],
    }
    tags = [{"TagKey": "a", "TagValue": "1"}]
    answer = kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Description="there", Tags=tags)
    replica = answer["ReplicaKeyMetadata"]
    assert replica["Arn"] == f"arn:aws:kms:eu-west-1:{account.account}:key/{key}"
    assert (replica["Description"], answer["ReplicaTags"]) == ("there", tags)
    assert "key-default-1" in answer["ReplicaPolicy"]
    configuration = {
        "PrimaryKey": {"Arn": arn, "Region": "us-east-1"},
        "ReplicaKeys": [{"Arn": replica["Arn"], "Region": "eu-west-1"}],
    }
    for client, kind in ((kms, "PRIMARY"), (irish, "REPLICA")):
        shown = client.describe_key(KeyId=key)["KeyMetadata"]
        assert shown["MultiRegionConfiguration"] == {"MultiRegionKeyType": kind, **configuration}
        assert shown["CurrentKeyMaterialId"] == made["CurrentKeyMaterialId"]


def test_each_decrypts_what_the_other_encrypts(kms: Any, irish: Any) -> None:
    key = create_key(kms, MultiRegion=True)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    kms.rotate_key_on_demand(KeyId=key)
    for one, other in ((kms, irish), (irish, kms)):
        blob = one.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
        decrypted = other.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
        assert decrypted["Plaintext"] == b"x"
        assert decrypted["KeyId"].split(":")[3] == other.meta.region_name
    kms.disable_key(KeyId=key)
    assert irish.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"x"


def test_pairs_are_replicated_too(kms: Any, irish: Any) -> None:
    key = create_key(kms, MultiRegion=True, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    how = {"KeyId": key, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    assert kms.verify(Signature=irish.sign(**how)["Signature"], **how)["SignatureValid"]


def test_rotation_is_shared(standing: Standing, kms: Any, irish: Any) -> None:
    key = create_key(kms, MultiRegion=True)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert irish.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 90
    for call in (irish.enable_key_rotation, irish.disable_key_rotation, irish.rotate_key_on_demand):
        assert code_of(call, KeyId=key) == "UnsupportedOperationException"
    kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")
    standing.advance("90d")
    rotations = eventually(lambda: kms.list_key_rotations(KeyId=key)["Rotations"])
    there = irish.list_key_rotations(KeyId=key)["Rotations"]
    assert [each["KeyMaterialId"] for each in rotations] == [each["KeyMaterialId"] for each in there]


def test_the_primary_region_moves(kms: Any, irish: Any) -> None:
    key = create_key(kms, MultiRegion=True)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")
    kinds = [
        client.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]["MultiRegionKeyType"]
        for client in (kms, irish)
    ]
    assert kinds == ["REPLICA", "PRIMARY"]
    assert code_of(kms.replicate_key, KeyId=key, ReplicaRegion="eu-west-2") == "UnsupportedOperationException"
    irish.replicate_key(KeyId=key, ReplicaRegion="eu-west-2")
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    assert sorted(each["Region"] for each in shown["ReplicaKeys"]) == ["eu-west-2", "us-east-1"]


def test_what_is_refused(kms: Any) -> None:
    single = create_key(kms)
    for call, params in (
        (kms.replicate_key, {"ReplicaRegion": "eu-west-1"}),
        (kms.update_primary_region, {"PrimaryRegion": "eu-west-1"}),
    ):
        assert code_of(call, KeyId=single, **params) == "UnsupportedOperationException"
    key = create_key(kms, MultiRegion=True)
    assert code_of(kms.replicate_key, KeyId=key, ReplicaRegion="us-east-1") == "AlreadyExistsException"
    assert code_of(kms.replicate_key, KeyId=key, ReplicaRegion="cn-north-1") == "UnsupportedOperationException"
    assert code_of(kms.update_primary_region, KeyId=key, PrimaryRegion="eu-west-1") == "NotFoundException"


def test_a_primary_key_is_deleted_after_its_replicas(standing: Standing, kms: Any, irish: Any) -> None:
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]
    key = made["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
    assert (answer["KeyState"], "DeletionDate" in answer) == ("PendingReplicaDeletion", False)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["PendingDeletionWindowInDays"] == 10
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == (
        "KMSInvalidStateException",
        f"{made['Arn']} is pending replica deletion.",
    )
    irish.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    standing.advance("7d")
    eventually(lambda: get_state(kms, key), lambda state: state == "PendingDeletion")
    assert irish.list_keys()["Keys"] == []
    standing.advance("10d")
    eventually(lambda: kms.list_keys()["Keys"], lambda keys: keys == [])
