"""Keys: created, described, listed, switched off and on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key, get_state

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNKNOWN = "1234abcd-12ab-34cd-56ef-1234567890ab"


def test_a_key_as_it_is_created(aws: Aws, kms: Any) -> None:
    made = kms.create_key()["KeyMetadata"]
    key = made["KeyId"]
    assert _UUID.fullmatch(key)
    assert {name: made[name] for name in made if name not in ("CreationDate", "CurrentKeyMaterialId")} == {
        "AWSAccountId": aws.account,
        "Arn": f"arn:aws:kms:us-east-1:{aws.account}:key/{key}",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": key,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }
    assert re.fullmatch(r"[0-9a-f]{64}", made["CurrentKeyMaterialId"])
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"] == made


@pytest.mark.parametrize(
    ("spec", "usage", "member", "algorithms"),
    [
        ("RSA_4096", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
        ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_512"]),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
        ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_384"]),
        ("ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"]),
    ],
)
def test_algorithms_of_key_specs(kms: Any, spec: str, usage: str, member: str, algorithms: list[str]) -> None:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert made[member] == algorithms
    assert "CurrentKeyMaterialId" not in made


def test_specs_that_make_no_sense(kms: Any) -> None:
    assert refused(kms.create_key, KeySpec="RSA_2048") == (
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
    )
    assert refused(kms.create_key, KeySpec="ECC_NIST_P256", KeyUsage="ENCRYPT_DECRYPT") == (
        "ValidationException",
        "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256",
    )
    assert code_of(kms.create_key, KeySpec="ECC_SECG_P256K1", KeyUsage="KEY_AGREEMENT") == "ValidationException"
    both = {"KeySpec": "HMAC_256", "CustomerMasterKeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
    assert code_of(kms.create_key, **both) == "ValidationException"


@pytest.mark.parametrize(
    "params",
    [
        {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
        {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1234567890abcdef0"},
        {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "bb8562717f809024"},
    ],
)
def test_what_cannot_be_had_is_refused(kms: Any, params: dict[str, Any]) -> None:
    assert code_of(kms.create_key, **params) == "UnsupportedOperationException"


def test_the_older_name_of_key_specs(kms: Any) -> None:
    made = kms.create_key(CustomerMasterKeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    assert made["KeySpec"] == "HMAC_224"


def test_keys_that_are_not_there(aws: Aws, kms: Any) -> None:
    arn = f"arn:aws:kms:us-east-1:{aws.account}:key/{_UNKNOWN}"
    assert refused(kms.describe_key, KeyId=_UNKNOWN) == ("NotFoundException", f"Key '{arn}' does not exist")
    assert refused(kms.describe_key, KeyId="nonsense") == ("NotFoundException", "Invalid keyId 'nonsense'")
    assert refused(kms.describe_key, KeyId=arn.replace("us-east-1", "eu-west-1")) == (
        "NotFoundException",
        "Invalid arn eu-west-1",
    )
    assert refused(kms.describe_key, KeyId="alias/none") == (
        "NotFoundException",
        f"Alias arn:aws:kms:us-east-1:{aws.account}:alias/none is not found.",
    )
    assert code_of(kms.describe_key, KeyId="arn:aws:s3:::bucket") == "InvalidArnException"


def test_what_takes_aliases_and_what_does_not(kms: Any) -> None:
    key = create_key(kms)
    kms.create_alias(AliasName="alias/one", TargetKeyId=key)
    assert kms.describe_key(KeyId="alias/one")["KeyMetadata"]["KeyId"] == key
    assert refused(kms.disable_key, KeyId="alias/one") == ("NotFoundException", "Invalid keyId alias/one")


def test_a_disabled_key_fails_at_once(kms: Any) -> None:
    key = create_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob)
    kms.disable_key(KeyId=key)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (shown["Enabled"], shown["KeyState"]) == (False, "Disabled")
    assert refused(kms.decrypt, CiphertextBlob=blob) == ("DisabledException", f"{shown['Arn']} is disabled.")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_descriptions(kms: Any) -> None:
    key = create_key(kms, Description="for the shop")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "for the shop"
    kms.update_key_description(KeyId=key, Description="for all")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "for all"


def test_keys_are_listed_in_pages(aws: Aws, kms: Any) -> None:
    made = sorted(create_key(kms) for _ in range(5))
    first = kms.list_keys(Limit=3)
    assert first["Truncated"]
    rest = kms.list_keys(Limit=3, Marker=first["NextMarker"])
    assert not rest["Truncated"]
    assert [each["KeyId"] for each in first["Keys"] + rest["Keys"]] == made
    assert first["Keys"][0]["KeyArn"] == f"arn:aws:kms:us-east-1:{aws.account}:key/{made[0]}"
    assert code_of(kms.list_keys, Marker="nonsense!") == "InvalidMarkerException"
    assert kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])["Keys"] == []


def test_keys_belong_to_a_region(aws: Aws, kms: Any) -> None:
    create_key(kms)
    assert aws.client("kms", region_name="eu-west-1").list_keys()["Keys"] == []


def test_tags(kms: Any) -> None:
    key = create_key(kms, Tags=[{"TagKey": "a", "TagValue": "1"}])
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "b", "TagValue": "2"}, {"TagKey": "c", "TagValue": ""}])
    first = kms.list_resource_tags(KeyId=key, Limit=2)
    assert first["Tags"] == [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}]
    rest = kms.list_resource_tags(KeyId=key, Limit=2, Marker=first["NextMarker"])
    assert (rest["Tags"], rest["Truncated"]) == ([{"TagKey": "c", "TagValue": ""}], False)
    kms.untag_resource(KeyId=key, TagKeys=["a", "b", "unknown"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "c", "TagValue": ""}]


def test_tags_that_are_refused(kms: Any) -> None:
    key = create_key(kms)
    assert code_of(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "aws:x", "TagValue": ""}]) == "TagException"
    twice = [{"TagKey": "x", "TagValue": "1"}, {"TagKey": "x", "TagValue": "2"}]
    assert code_of(kms.tag_resource, KeyId=key, Tags=twice) == "TagException"
    many = [{"TagKey": str(number), "TagValue": ""} for number in range(51)]
    assert code_of(kms.tag_resource, KeyId=key, Tags=many) == "LimitExceededException"


def test_deletion_is_scheduled_and_cancelled(kms: Any) -> None:
    key = create_key(kms)
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    assert refused(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6) == (
        "ValidationException",
        "PendingWindowInDays must be between 7 and 30 days.",
    )
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (answer["KeyId"], answer["KeyState"], answer["PendingWindowInDays"]) == (arn, "PendingDeletion", 7)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert shown["DeletionDate"] == answer["DeletionDate"]
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == (
        "KMSInvalidStateException",
        f"{arn} is pending deletion.",
    )
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == arn
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert shown["KeyState"] == "Disabled"
    assert "DeletionDate" not in shown
    assert refused(kms.cancel_key_deletion, KeyId=key) == (
        "KMSInvalidStateException",
        f"{arn} is not pending deletion.",
    )
    kms.enable_key(KeyId=key)
    assert get_state(kms, key) == "Enabled"


def test_public_keys(kms: Any) -> None:
    key = create_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    shown = kms.get_public_key(KeyId=key)
    assert (shown["KeySpec"], shown["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    assert shown["SigningAlgorithms"] == ["ECDSA_SHA_256"]
    assert len(shown["PublicKey"]) == 91
    assert code_of(kms.get_public_key, KeyId=create_key(kms)) == "UnsupportedOperationException"


def test_random_bytes(kms: Any) -> None:
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    assert code_of(kms.generate_random) == "ValidationException"
    store = "cks-1234567890abcdef0"
    assert code_of(kms.generate_random, NumberOfBytes=1, CustomKeyStoreId=store) == "CustomKeyStoreNotFoundException"


def test_nitro_enclaves_are_refused(kms: Any) -> None:
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}
    assert code_of(kms.generate_random, NumberOfBytes=8, Recipient=recipient) == "UnsupportedOperationException"
    data_key = {"KeyId": create_key(kms), "KeySpec": "AES_256", "Recipient": recipient}
    assert code_of(kms.generate_data_key, **data_key) == "UnsupportedOperationException"


def test_custom_key_stores_are_not_built(kms: Any) -> None:
    assert code_of(kms.describe_custom_key_stores) == "NotImplemented"
