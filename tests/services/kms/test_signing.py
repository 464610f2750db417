"""Signatures, message authentication codes and shared secrets."""

from __future__ import annotations

from hashlib import sha256, sha512
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import ECDH, ECDSA
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.services.kms import ed25519ph
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key

_SPECS = {
    "RSA_2048": [f"RSASSA_{scheme}_SHA_{size}" for scheme in ("PSS", "PKCS1_V1_5") for size in (256, 384, 512)],
    "ECC_NIST_P256": ["ECDSA_SHA_256"],
    "ECC_NIST_P384": ["ECDSA_SHA_384"],
    "ECC_NIST_P521": ["ECDSA_SHA_512"],
    "ECC_SECG_P256K1": ["ECDSA_SHA_256"],
    "ECC_NIST_EDWARDS25519": ["ED25519_SHA_512"],
    "ML_DSA_44": ["ML_DSA_SHAKE_256"],
    "ML_DSA_65": ["ML_DSA_SHAKE_256"],
    "ML_DSA_87": ["ML_DSA_SHAKE_256"],
}


@pytest.mark.parametrize("spec", _SPECS)
def test_signatures_of_messages(kms: Any, spec: str) -> None:
    key = create_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    for algorithm in _SPECS[spec]:
        params = {"KeyId": key, "SigningAlgorithm": algorithm}
        signed = kms.sign(Message=b"hello", **params)
        assert signed["SigningAlgorithm"] == algorithm
        assert kms.verify(Message=b"hello", Signature=signed["Signature"], **params)["SignatureValid"]
        wrong = {"Message": b"Hello", "Signature": signed["Signature"], **params}
        assert code_of(kms.verify, **wrong) == "KMSInvalidSignatureException"
        assert code_of(kms.verify, Message=b"hello", Signature=b"x", **params) == "KMSInvalidSignatureException"


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256"),
        ("ECC_NIST_P256", "ECDSA_SHA_256"),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
    ],
)
def test_a_digest_is_as_good_as_its_message(kms: Any, spec: str, algorithm: str) -> None:
    key = create_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    params = {"KeyId": key, "SigningAlgorithm": algorithm}
    digest = sha256(b"hello").digest()
    signature = kms.sign(Message=digest, MessageType="DIGEST", **params)["Signature"]
    assert kms.verify(Message=b"hello", Signature=signature, **params)["SignatureValid"]
    assert kms.verify(Message=digest, MessageType="DIGEST", Signature=signature, **params)["SignatureValid"]
    assert refused(kms.sign, Message=digest[1:], MessageType="DIGEST", **params) == (
        "ValidationException",
        f"Digest is invalid length for algorithm {algorithm}.",
    )


def test_others_verify_by_the_public_key(kms: Any) -> None:
    key = create_key(kms, KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    signature = kms.sign(KeyId=key, Message=b"hello", SigningAlgorithm="ECDSA_SHA_384")["Signature"]
    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, b"hello", ECDSA(hashes.SHA384()))


def test_ed25519_hashes_messages_in_two_ways(kms: Any) -> None:
    key = create_key(kms, KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    digest = sha512(b"hello").digest()
    params = {"KeyId": key, "Message": digest, "SigningAlgorithm": "ED25519_PH_SHA_512"}
    signature = kms.sign(MessageType="DIGEST", **params)["Signature"]
    assert kms.verify(MessageType="DIGEST", Signature=signature, **params)["SignatureValid"]
    params["Message"] = sha512(b"other").digest()
    assert code_of(kms.verify, MessageType="DIGEST", Signature=signature, **params) == "KMSInvalidSignatureException"
    assert code_of(kms.sign, MessageType="RAW", **params) == "ValidationException"
    raw = {**params, "SigningAlgorithm": "ED25519_SHA_512"}
    assert code_of(kms.sign, MessageType="DIGEST", **raw) == "ValidationException"


_SEED = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
_PUBLIC = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
_SIGNATURE = (
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)


def test_ed25519ph_is_that_of_rfc_8032() -> None:
    signature = ed25519ph.sign(bytes.fromhex(_SEED), b"abc")
    assert signature.hex() == _SIGNATURE
    assert ed25519ph.is_valid(bytes.fromhex(_PUBLIC), b"abc", signature)


@settings(max_examples=50)
@given(st.integers(min_value=0, max_value=63), st.integers(min_value=1, max_value=255))
def test_no_changed_signature_of_ed25519ph_is_valid(place: int, change: int) -> None:
    signature = bytearray.fromhex(_SIGNATURE)
    signature[place] ^= change
    assert not ed25519ph.is_valid(bytes.fromhex(_PUBLIC), b"abc", bytes(signature))


def test_ml_dsa_signs_the_external_mu(kms: Any) -> None:
    key = create_key(kms, KeySpec="ML_DSA_44", KeyUsage="SIGN_VERIFY")
    params = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256", "MessageType": "EXTERNAL_MU"}
    mu = bytes(range(64))
    signature = kms.sign(Message=mu, **params)["Signature"]
    assert kms.verify(Message=mu, Signature=signature, **params)["SignatureValid"]
    assert code_of(kms.sign, Message=mu[1:], **params) == "ValidationException"
    params["MessageType"] = "DIGEST"
    assert code_of(kms.sign, Message=mu, **params) == "ValidationException"


def test_algorithms_of_other_keys(kms: Any) -> None:
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    assert refused(kms.sign, KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_384") == (
        "InvalidKeyUsageException",
        "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.",
    )
    encrypting = create_key(kms)
    params = {"KeyId": encrypting, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    assert code_of(kms.sign, **params) == "InvalidKeyUsageException"
    dry = {"KeyId": key, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256", "DryRun": True}
    assert code_of(kms.sign, **dry) == "DryRunOperationException"


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_message_authentication_codes(kms: Any, bits: int) -> None:
    key = create_key(kms, KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
    params = {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{bits}"}
    mac = kms.generate_mac(Message=b"hello", **params)["Mac"]
    assert len(mac) == bits // 8
    assert kms.verify_mac(Message=b"hello", Mac=mac, **params)["MacValid"]
    assert code_of(kms.verify_mac, Message=b"Hello", Mac=mac, **params) == "KMSInvalidMacException"
    other = {**params, "MacAlgorithm": "HMAC_SHA_256" if bits != 256 else "HMAC_SHA_512"}
    assert code_of(kms.generate_mac, Message=b"hello", **other) == "InvalidKeyUsageException"


def test_both_sides_derive_one_secret(kms: Any) -> None:
    mine = create_key(kms, KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")
    theirs = ec.generate_private_key(ec.SECP384R1())
    der = theirs.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    answer = kms.derive_shared_secret(KeyId=mine, KeyAgreementAlgorithm="ECDH", PublicKey=der)
    public = load_der_public_key(kms.get_public_key(KeyId=mine)["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert answer["SharedSecret"] == theirs.exchange(ECDH(), public)
    assert answer["KeyOrigin"] == "AWS_KMS"


def test_a_secret_needs_a_key_of_the_same_curve(kms: Any) -> None:
    key = create_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    der = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for public in (der, b"nonsense"):
        params = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
        assert code_of(kms.derive_shared_secret, **params) == "ValidationException"


@pytest.mark.parametrize("spec", ["ML_KEM_768", "ML_KEM_1024"])
def test_ml_kem(kms: Any, spec: str) -> None:
    key = create_key(kms, KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")
    made = kms.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
    params = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    blob = made["SharedSecretCiphertextBlob"]
    assert kms.decapsulate(SharedSecretCiphertextBlob=blob, **params)["SharedSecret"] == made["SharedSecret"]
    altered = bytes([blob[0] ^ 1]) + blob[1:]
    assert kms.decapsulate(SharedSecretCiphertextBlob=altered, **params)["SharedSecret"] != made["SharedSecret"]
    assert code_of(kms.decapsulate, SharedSecretCiphertextBlob=blob[1:], **params) == "InvalidCiphertextException"


def test_keys_of_other_uses_are_refused(kms: Any) -> None:
    key = create_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    assert code_of(kms.encapsulate, KeyId=key, EncapsulationAlgorithm="ML_KEM") == "InvalidKeyUsageException"
    mac = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256", "Message": b"x"}
    assert code_of(kms.generate_mac, **mac) == "InvalidKeyUsageException"
