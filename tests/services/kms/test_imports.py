"""Imported key material: wrapped, taken in, expired, deleted and put back."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from cloudlet.testing.server import Aws
from tests.own_metrics import total
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key, get_state
from tests.standing import Standing, eventually

_FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


@pytest.fixture
def kms(account: Aws) -> Any:
    return account.client("kms")


def wrap(public_key: bytes, algorithm: str, material: bytes) -> bytes:
    """Wrap key material as its owner does."""
    key = load_der_public_key(public_key)
    assert isinstance(key, rsa.RSAPublicKey)
    digest: hashes.HashAlgorithm = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSAES"):
        return key.encrypt(material, oaep)
    aes_key = os.urandom(32)
    return key.encrypt(aes_key, oaep) + aes_key_wrap_with_padding(aes_key, material)


def import_material(
    kms: Any, key: str, material: bytes, algorithm: str = "RSAES_OAEP_SHA_256", **params: Any
) -> dict[str, Any]:
    parameters = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    wrapped = wrap(parameters["PublicKey"], algorithm, material)
    given = {"KeyId": key, "ImportToken": parameters["ImportToken"], "EncryptedKeyMaterial": wrapped}
    return dict(kms.import_key_material(**given, **{**_FOREVER, **params}))


def _to_der(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize(
    "algorithm",
    ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"],
)
def test_material_is_imported(kms: Any, algorithm: str) -> None:
    key = create_key(kms, Origin="EXTERNAL")
    assert get_state(kms, key) == "PendingImport"
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x") == "KMSInvalidStateException"
    answer = import_material(kms, key, os.urandom(32), algorithm)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (shown["KeyState"], shown["ExpirationModel"]) == ("Enabled", "KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert shown["CurrentKeyMaterialId"] == answer["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_deleted_material_comes_back_by_the_same_import(kms: Any) -> None:
    key, material = create_key(kms, Origin="EXTERNAL"), os.urandom(32)
    import_material(kms, key, material)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=key)
    assert get_state(kms, key) == "PendingImport"
    assert code_of(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        import_material(kms, key, os.urandom(32))
    import_material(kms, key, material)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_material_expires(standing: Standing, kms: Any) -> None:
    key, material = create_key(kms, Origin="EXTERNAL"), os.urandom(32)
    created = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"].timestamp()
    expires = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": created + 86_400}
    import_material(kms, key, material, **expires)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert shown["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert shown["ValidTo"].timestamp() == created + 86_400
    standing.advance("1d")
    eventually(lambda: get_state(kms, key), lambda state: state == "PendingImport")
    import_material(kms, key, material)
    standing.advance("2d")
    assert get_state(kms, key) == "Enabled"


def test_a_metric_tells_when_material_expires(standing: Standing, account: Aws, kms: Any) -> None:
    key = create_key(kms, Origin="EXTERNAL")
    created = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"].timestamp()
    import_material(kms, key, os.urandom(32), ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=created + 86_400)
    standing.advance("2m")
    measured = eventually(lambda: total(account, "AWS/KMS", "SecondsUntilKeyMaterialExpiration", KeyId=key))
    assert 0 < (measured or 0) <= 3 * 86_400
    standing.advance("23h58m")


def test_when_material_may_expire(kms: Any) -> None:
    key = create_key(kms, Origin="EXTERNAL")
    created = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"].timestamp()
    given = {"KeyId": key, "ImportToken": b"x", "EncryptedKeyMaterial": b"x"}
    assert code_of(kms.import_key_material, **given) == "ValidationException"
    assert code_of(kms.import_key_material, **given, ValidTo=created + 366 * 86_400) == "ValidationException"
    assert code_of(kms.import_key_material, **given, ValidTo=created - 1) == "ValidationException"
    assert code_of(kms.import_key_material, **given, **_FOREVER, ValidTo=created + 1) == "ValidationException"


def test_tokens_are_for_one_key_and_a_day(standing: Standing, kms: Any) -> None:
    key, other = create_key(kms, Origin="EXTERNAL"), create_key(kms, Origin="EXTERNAL")
    asked = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    parameters = kms.get_parameters_for_import(KeyId=key, **asked)
    wrapped = wrap(parameters["PublicKey"], asked["WrappingAlgorithm"], os.urandom(32))
    given = {"ImportToken": parameters["ImportToken"], "EncryptedKeyMaterial": wrapped, **_FOREVER}
    assert code_of(kms.import_key_material, KeyId=other, **given) == "InvalidImportTokenException"
    garbled = {**given, "EncryptedKeyMaterial": wrapped[1:]}
    assert code_of(kms.import_key_material, KeyId=key, **garbled) == "InvalidCiphertextException"
    standing.advance("1d")
    assert code_of(kms.import_key_material, KeyId=key, **given) == "ExpiredImportTokenException"


def test_material_that_does_not_fit(kms: Any) -> None:
    key = create_key(kms, Origin="EXTERNAL")
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        import_material(kms, key, os.urandom(16))
    pair = create_key(kms, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    for material in (os.urandom(32), _to_der(ec.generate_private_key(ec.SECP384R1()))):
        with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
            import_material(kms, pair, material, "RSA_AES_KEY_WRAP_SHA_256")


def test_imported_key_pairs_and_hmac_keys(kms: Any) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    pair = create_key(kms, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    assert "KeyMaterialId" not in import_material(kms, pair, _to_der(curve))
    public = curve.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert kms.get_public_key(KeyId=pair)["PublicKey"] == public
    signature = kms.sign(KeyId=pair, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    curve.public_key().verify(signature, b"x", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        import_material(kms, pair, _to_der(ec.generate_private_key(ec.SECP256R1())))
    private = rsa.generate_private_key(65_537, 2048)
    encrypting = create_key(kms, Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    import_material(kms, encrypting, _to_der(private), "RSA_AES_KEY_WRAP_SHA_256")
    how = {"KeyId": encrypting, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms.encrypt(Plaintext=b"x", **how)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, **how)["Plaintext"] == b"x"
    mac = create_key(kms, Origin="EXTERNAL", KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")
    import_material(kms, mac, b"k" * 48)
    assert len(kms.generate_mac(KeyId=mac, Message=b"x", MacAlgorithm="HMAC_SHA_384")["Mac"]) == 48


def test_ways_of_wrapping_that_are_refused(kms: Any) -> None:
    key = create_key(kms, Origin="EXTERNAL")
    rsa_key = create_key(kms, Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    large = create_key(kms, Origin="EXTERNAL", KeySpec="ECC_NIST_P521", KeyUsage="SIGN_VERIFY")
    cases = [
        (key, "RSAES_PKCS1_V1_5", "RSA_2048"),
        (key, "SM2PKE", "SM2"),
        (rsa_key, "RSAES_OAEP_SHA_256", "RSA_4096"),
        (large, "RSAES_OAEP_SHA_256", "RSA_2048"),
    ]
    for each, algorithm, spec in cases:
        asked = {"KeyId": each, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
        assert code_of(kms.get_parameters_for_import, **asked) == "UnsupportedOperationException"
    own = kms.create_key()["KeyMetadata"]
    asked = {"KeyId": own["KeyId"], "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    assert refused(kms.get_parameters_for_import, **asked) == (
        "UnsupportedOperationException",
        f"{own['Arn']} origin is AWS_KMS which is not valid for this operation.",
    )
    assert code_of(kms.delete_imported_key_material, KeyId=own["KeyId"]) == "UnsupportedOperationException"


def test_several_materials_and_rotation_between_them(kms: Any) -> None:
    key = create_key(kms, Origin="EXTERNAL")
    first = import_material(kms, key, b"1" * 32, KeyMaterialDescription="first")["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    assert code_of(kms.rotate_key_on_demand, KeyId=key) == "KMSInvalidStateException"
    new = {"ImportType": "NEW_KEY_MATERIAL"}
    second = import_material(kms, key, b"2" * 32, **new)["KeyMaterialId"]
    with pytest.raises(kms.exceptions.KMSInvalidStateException):
        import_material(kms, key, b"3" * 32, **new)

    def list_materials() -> list[tuple[str, str, str]]:
        listed = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
        return [(each["KeyMaterialId"], each["KeyMaterialState"], each["ImportState"]) for each in listed]

    assert list_materials() == [(first, "CURRENT", "IMPORTED"), (second, "PENDING_ROTATION", "IMPORTED")]
    kms.rotate_key_on_demand(KeyId=key)
    assert list_materials() == [(first, "NON_CURRENT", "IMPORTED"), (second, "CURRENT", "IMPORTED")]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=first)
    assert get_state(kms, key) == "PendingImport"
    assert list_materials()[0] == (first, "NON_CURRENT", "PENDING_IMPORT")
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        import_material(kms, key, b"1" * 32, KeyMaterialId=second)
    import_material(kms, key, b"1" * 32, KeyMaterialId=first)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        import_material(kms, key, b"1" * 32, **new)


def test_material_that_waits_is_forgotten_when_it_is_deleted(kms: Any) -> None:
    key = create_key(kms, Origin="EXTERNAL")
    import_material(kms, key, b"1" * 32)
    second = import_material(kms, key, b"2" * 32, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=second)
    assert get_state(kms, key) == "Enabled"
    assert len(kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]) == 1
    unknown = {"KeyId": key, "KeyMaterialId": "0" * 64}
    assert code_of(kms.delete_imported_key_material, **unknown) == "NotFoundException"


def test_members_that_only_symmetric_keys_take(kms: Any) -> None:
    mac = create_key(kms, Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    given = {"KeyId": mac, "ImportToken": b"x", "EncryptedKeyMaterial": b"x", **_FOREVER}
    assert code_of(kms.import_key_material, **given, KeyMaterialDescription="x") == "ValidationException"
    key = {**given, "KeyId": create_key(kms, Origin="EXTERNAL")}
    both = {"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialId": "0" * 64}
    assert code_of(kms.import_key_material, **key, **both) == "ValidationException"


def test_a_replica_imports_the_same_material(account: Aws, kms: Any) -> None:
    key = create_key(kms, Origin="EXTERNAL", MultiRegion=True)
    first = import_material(kms, key, b"1" * 32)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    other = account.client("kms", region_name="eu-west-1")
    assert get_state(other, key) == "PendingImport"
    assert import_material(other, key, b"1" * 32)["KeyMaterialId"] == first
    assert other.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

    new = {"ImportType": "NEW_KEY_MATERIAL"}
    with pytest.raises(kms.exceptions.UnsupportedOperationException):
        import_material(other, key, b"2" * 32, **new)
    second = import_material(kms, key, b"2" * 32, **new)["KeyMaterialId"]

    def get_last_state(client: Any) -> str:
        listed = client.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
        return str(listed[-1]["KeyMaterialState"])

    assert get_last_state(kms) == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert code_of(kms.rotate_key_on_demand, KeyId=key) == "KMSInvalidStateException"
    import_material(other, key, b"2" * 32)
    assert (get_last_state(kms), get_last_state(other)) == ("PENDING_ROTATION", "PENDING_ROTATION")
    kms.rotate_key_on_demand(KeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"]
    assert other.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == second
