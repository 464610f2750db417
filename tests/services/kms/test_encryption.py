"""Encryption: what is encrypted comes back by the same key and context, and by no other."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.services.kms.ciphertext import Cipher, ParsedCiphertext
from cloudlet.services.kms.errors import InvalidCiphertext
from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key

_CONTEXTS = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4)
_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


def _make_cipher(secret: bytes = bytes(32)) -> Cipher:
    return Cipher("111122223333", "us-east-1", _KEY, "ab" * 32, secret)


def test_a_round_trip(kms: Any) -> None:
    made = kms.create_key()["KeyMetadata"]
    encrypted = kms.encrypt(KeyId=made["KeyId"], Plaintext=b"secret", EncryptionContext={"app": "shop", "user": "7"})
    assert (encrypted["KeyId"], encrypted["EncryptionAlgorithm"]) == (made["Arn"], "SYMMETRIC_DEFAULT")
    decrypted = kms.decrypt(CiphertextBlob=encrypted["CiphertextBlob"], EncryptionContext={"user": "7", "app": "shop"})
    assert decrypted["Plaintext"] == b"secret"
    assert (decrypted["KeyId"], decrypted["EncryptionAlgorithm"]) == (made["Arn"], "SYMMETRIC_DEFAULT")
    assert decrypted["KeyMaterialId"] == made["CurrentKeyMaterialId"]


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=4096), _CONTEXTS, _CONTEXTS)
def test_only_the_same_context_decrypts(plaintext: bytes, context: dict[str, str], other: dict[str, str]) -> None:
    cipher = _make_cipher()
    blob = cipher.encrypt(plaintext, context)
    shuffled = dict(reversed(context.items()))
    assert cipher.decrypt(ParsedCiphertext(blob), shuffled) == plaintext
    if other != context:
        with pytest.raises(InvalidCiphertext):
            cipher.decrypt(ParsedCiphertext(blob), other)


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=64), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_changed_ciphertext_decrypts(plaintext: bytes, place: int, change: int) -> None:
    cipher = _make_cipher()
    blob = bytearray(cipher.encrypt(plaintext, {"a": "b"}))
    blob[place % len(blob)] ^= change
    with pytest.raises(InvalidCiphertext):
        cipher.decrypt(ParsedCiphertext(bytes(blob)), {"a": "b"})


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_what_is_no_ciphertext_is_said_to_be_none(blob: bytes) -> None:
    for each in (blob, b"\x01\xcb" + blob):
        with pytest.raises(InvalidCiphertext):
            _make_cipher().decrypt(ParsedCiphertext(each), None)


def test_wrong_contexts_keys_and_ciphertexts(kms: Any) -> None:
    key, other = create_key(kms), create_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"app": "shop"})["CiphertextBlob"]
    for context in ({}, {"app": "Shop"}, {"App": "shop"}, {"app": "shop", "user": "7"}):
        assert code_of(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context) == "InvalidCiphertextException"
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=other, EncryptionContext={"app": "shop"}) == (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
    assert code_of(kms.decrypt, CiphertextBlob=b"nonsense") == "InvalidCiphertextException"
    assert code_of(kms.decrypt, KeyId=key, CiphertextBlob=b"nonsense") == "InvalidCiphertextException"
    assert kms.decrypt(CiphertextBlob=blob, KeyId=key, EncryptionContext={"app": "shop"})["Plaintext"] == b"x"


def test_a_plaintext_has_4096_bytes_at_most(kms: Any) -> None:
    key = create_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=bytes(4096))["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == bytes(4096)
    assert code_of(kms.encrypt, KeyId=key, Plaintext=bytes(4097)) == "ValidationException"


def test_a_ciphertext_is_of_its_region_and_account(aws: Aws, kms: Any) -> None:
    blob = kms.encrypt(KeyId=create_key(kms), Plaintext=b"x")["CiphertextBlob"]
    elsewhere = aws.client("kms", region_name="eu-west-1")
    assert refused(elsewhere.decrypt, CiphertextBlob=blob) == (
        "AccessDeniedException",
        "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you "
        "are not allowed to access.",
    )


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_rsa(kms: Any, algorithm: str) -> None:
    key = create_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    limit = 214 if algorithm == "RSAES_OAEP_SHA_1" else 190
    blob = kms.encrypt(KeyId=key, Plaintext=bytes(limit), EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    assert len(blob) == 256
    decrypted = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
    assert decrypted["Plaintext"] == bytes(limit)
    assert "KeyMaterialId" not in decrypted
    assert refused(kms.encrypt, KeyId=key, Plaintext=bytes(limit + 1), EncryptionAlgorithm=algorithm) == (
        "ValidationException",
        f"Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {limit} bytes.",
    )


def test_what_was_encrypted_elsewhere_by_the_public_key(kms: Any) -> None:
    key = create_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    blob = public.encrypt(b"from outside", oaep)
    answer = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert answer["Plaintext"] == b"from outside"
    wrong = {"KeyId": key, "CiphertextBlob": blob, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}
    assert code_of(kms.decrypt, **wrong) == "InvalidCiphertextException"
    assert code_of(kms.decrypt, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256") == "ValidationException"


def test_algorithms_and_usages_that_do_not_fit(kms: Any) -> None:
    rsa_key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    assert refused(kms.encrypt, KeyId=rsa_key["KeyId"], Plaintext=b"x") == (
        "InvalidKeyUsageException",
        "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
    )
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert refused(kms.encrypt, KeyId=signing["KeyId"], Plaintext=b"x") == (
        "InvalidKeyUsageException",
        f"{signing['Arn']} key usage is SIGN_VERIFY which is not valid for Encrypt.",
    )
    with_context = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "EncryptionContext": {"a": "b"}}
    assert code_of(kms.encrypt, KeyId=rsa_key["KeyId"], Plaintext=b"x", **with_context) == "ValidationException"
    assert code_of(kms.generate_data_key, KeyId=rsa_key["KeyId"], KeySpec="AES_256") == "InvalidKeyUsageException"


def test_re_encryption(kms: Any) -> None:
    source, target = create_key(kms), create_key(kms)
    pair = create_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    blob = kms.encrypt(KeyId=source, Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=target,
        DestinationEncryptionContext={"b": "2"},
    )
    assert moved["SourceKeyId"].endswith(source)
    assert moved["KeyId"].endswith(target)
    assert moved["SourceKeyMaterialId"] != moved["DestinationKeyMaterialId"]
    to_pair = kms.re_encrypt(
        CiphertextBlob=moved["CiphertextBlob"],
        SourceKeyId=target,
        SourceEncryptionContext={"b": "2"},
        DestinationKeyId=pair,
        DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256",
    )
    assert "DestinationKeyMaterialId" not in to_pair
    back = kms.re_encrypt(
        CiphertextBlob=to_pair["CiphertextBlob"],
        SourceKeyId=pair,
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
        DestinationKeyId=source,
    )
    assert kms.decrypt(CiphertextBlob=back["CiphertextBlob"], KeyId=source)["Plaintext"] == b"x"
    wrong = {"CiphertextBlob": blob, "SourceKeyId": target, "DestinationKeyId": target}
    assert code_of(kms.re_encrypt, **wrong) == "IncorrectKeyException"


def test_dry_runs(kms: Any) -> None:
    key = create_key(kms)
    would = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == would
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=blob, DryRun=True) == would
    assert code_of(kms.decrypt, CiphertextBlob=b"nonsense", DryRun=True) == "InvalidCiphertextException"
    without = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert refused(kms.decrypt, KeyId=key, **without) == would
    assert refused(kms.re_encrypt, SourceKeyId=key, DestinationKeyId=key, **without) == would
    assert code_of(kms.decrypt, KeyId=key, DryRunModifiers=["IGNORE_CIPHERTEXT"]) == "ValidationException"
    assert code_of(kms.decrypt, **without) == "ValidationException"
    assert code_of(kms.decrypt, KeyId=key) == "ValidationException"
    kms.disable_key(KeyId=key)
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "DisabledException"


def test_data_keys(kms: Any) -> None:
    key = create_key(kms)
    context = {"EncryptionContext": {"app": "shop"}}
    for params, size in (({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32), ({"NumberOfBytes": 64}, 64)):
        made = kms.generate_data_key(KeyId=key, **params, **context)
        assert len(made["Plaintext"]) == size
        assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"], **context)["Plaintext"] == made["Plaintext"]
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 32
    says = ("ValidationException", "Please specify either number of bytes or key spec.")
    assert refused(kms.generate_data_key, KeyId=key) == says
    assert refused(kms.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=32) == says


@pytest.mark.parametrize(
    "spec", ["RSA_2048", "ECC_NIST_P384", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_KEM_768"]
)
def test_data_key_pairs(kms: Any, spec: str) -> None:
    key = create_key(kms)
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)
    assert made["KeyPairSpec"] == spec
    secret = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert secret == made["PrivateKeyPlaintext"]
    assert load_der_private_key(secret, None).public_key() == load_der_public_key(made["PublicKey"])
    hidden = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in hidden


def test_data_key_pairs_that_cannot_be_had(kms: Any) -> None:
    key = create_key(kms)
    for spec in ("SM2", "ML_KEM_512"):
        assert code_of(kms.generate_data_key_pair, KeyId=key, KeyPairSpec=spec) == "UnsupportedOperationException"
