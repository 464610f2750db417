"""SecureStrings, which KMS encrypts."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.ssm.cloud import SsmCloud
from tests.standing import eventually

SECRET = "hunter2 ü"


@pytest.fixture
def kms(cloud: SsmCloud) -> Any:
    return cloud.aws.client("kms")


def _read(cloud: SsmCloud, name: str) -> str:
    return cloud.value(name, WithDecryption=True)


@pytest.mark.parametrize("tier", ["Standard", "Advanced"])
def test_a_secure_string_is_shown_encrypted_unless_it_is_decrypted(cloud: SsmCloud, tier: str) -> None:
    cloud.put("/s", SECRET, Type="SecureString", Tier=tier)
    stored = cloud.value("/s")
    assert SECRET.encode() not in b64decode(stored, validate=True)
    assert _read(cloud, "/s") == SECRET
    (shown,) = cloud.ssm.describe_parameters()["Parameters"]
    assert (shown["Type"], shown["KeyId"]) == ("SecureString", "alias/aws/ssm")
    assert cloud.described({"Key": "KeyId", "Values": ["alias/aws/ssm"]}) == ["/s"]
    with_all = {"WithDecryption": True}
    assert cloud.ssm.get_parameters(Names=["/s"], **with_all)["Parameters"][0]["Value"] == SECRET
    assert cloud.ssm.get_parameters_by_path(Path="/", **with_all)["Parameters"][0]["Value"] == SECRET
    assert cloud.ssm.get_parameter_history(Name="/s", **with_all)["Parameters"][0]["Value"] == SECRET
    assert cloud.ssm.get_parameter_history(Name="/s")["Parameters"][0]["Value"] == stored


def test_the_ciphertext_is_bound_to_the_parameter(cloud: SsmCloud, kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    cloud.put("/s", SECRET, Type="SecureString", KeyId=key)
    sealed = b64decode(cloud.value("/s"))
    own = {"PARAMETER_ARN": cloud.arn("/s")}
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=own)["Plaintext"].decode() == SECRET
    other = {"PARAMETER_ARN": cloud.arn("/other")}
    assert code_of(kms.decrypt, CiphertextBlob=sealed, EncryptionContext=other) == "InvalidCiphertextException"


@pytest.mark.parametrize("tier", ["Standard", "Advanced"])
def test_a_key_of_ones_own_is_used(cloud: SsmCloud, kms: Any, tier: str) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    cloud.put("/s", SECRET, Type="SecureString", KeyId=key, Tier=tier)
    assert _read(cloud, "/s") == SECRET
    kms.disable_key(KeyId=key)
    code, message = refused(_read, cloud, "/s")
    assert code == "InvalidKeyId"
    assert "Error Code: DisabledException" in message
    kms.enable_key(KeyId=key)
    assert _read(cloud, "/s") == SECRET
    kms.schedule_key_deletion(KeyId=key)
    assert code_of(cloud.update, "/s", KeyId=key) == "InvalidKeyId"


def test_a_key_that_is_not_there_is_an_invalid_one(cloud: SsmCloud, kms: Any) -> None:
    more = {"Type": "SecureString"}
    code, message = refused(cloud.put, "/s", KeyId="alias/none", **more)
    assert code == "InvalidKeyId"
    assert "Error Code: NotFoundException" in message
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    assert code_of(cloud.put, "/s", KeyId=signing, **more) == "InvalidKeyId"
    assert cloud.described() == []


def test_each_version_has_the_key_and_the_tier_that_it_was_put_with(cloud: SsmCloud, kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    cloud.put("/s", "1", Type="SecureString")
    cloud.update("/s", "2", KeyId=key)
    cloud.update("/s", "3" * 5000, KeyId=key, Tier="Advanced")
    assert [_read(cloud, f"/s:{number}") for number in (1, 2, 3)] == ["1", "2", "3" * 5000]
    keys = [each["KeyId"] for each in cloud.ssm.get_parameter_history(Name="/s")["Parameters"]]
    assert keys == ["alias/aws/ssm", key, key]


def test_a_pattern_is_held_against_the_plain_value(cloud: SsmCloud) -> None:
    secure = {"Type": "SecureString", "AllowedPattern": r"\d+"}
    cloud.put("/s", "12", **secure)
    assert _read(cloud, "/s") == "12"
    assert code_of(cloud.update, "/s", "x") == "ParameterPatternMismatchException"


def test_values_do_not_come_into_the_trail(cloud: SsmCloud) -> None:
    cloud.put("/s", SECRET, Type="SecureString")
    trail = cloud.aws.client("cloudtrail")
    named = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "PutParameter"}]}
    (event,) = eventually(lambda: trail.lookup_events(**named)["Events"])
    assert "hunter2" not in event["CloudTrailEvent"]
    assert '"name":"/s"' in event["CloudTrailEvent"].replace(" ", "")
