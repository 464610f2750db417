"""Key states: which operation takes place in which state, and how operations change it.

The tables are those of the developer guide, "Key states of AWS KMS keys", written down apart from the code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core import AwsError
from tests.services.kms.local import ALICE, LocalKms

_TICK, _DISABLED, _INVALID = "", "DisabledException", "KMSInvalidStateException"
_STATES = ("Enabled", "Disabled", "PendingImport", "PendingDeletion")
_USE = (_TICK, _DISABLED, _INVALID, _INVALID)
_CHANGE = (_TICK, _TICK, _TICK, _INVALID)
_ALWAYS = (_TICK, _TICK, _TICK, _TICK)

_TABLE: dict[str, tuple[str, str, str, str]] = {
    "CreateAlias": _CHANGE,
    "CreateGrant": _USE,
    "Decrypt": _USE,
    "DescribeKey": _ALWAYS,
    "Encrypt": _USE,
    "GenerateDataKey": _USE,
    "GenerateDataKeyPair": _USE,
    "GenerateDataKeyPairWithoutPlaintext": _USE,
    "GenerateDataKeyWithoutPlaintext": _USE,
    "GetKeyPolicy": _ALWAYS,
    "GetKeyRotationStatus": _ALWAYS,
    "GetParametersForImport": _CHANGE,
    "ListAliases": _ALWAYS,
    "ListGrants": _ALWAYS,
    "ListKeyPolicies": _ALWAYS,
    "ListResourceTags": _ALWAYS,
    "PutKeyPolicy": _ALWAYS,
    "ReEncrypt": _USE,
    "TagResource": _CHANGE,
    "UntagResource": _CHANGE,
    "UpdateAlias": _CHANGE,
    "UpdateKeyDescription": _CHANGE,
}
"""Answers of a symmetric key with imported material, in the order of `_STATES`."""

_CHANGES = {
    "EnableKey": {"Enabled": "Enabled", "Disabled": "Enabled"},
    "DisableKey": {"Enabled": "Disabled", "Disabled": "Disabled"},
    "ScheduleKeyDeletion": dict.fromkeys(("Enabled", "Disabled", "PendingImport"), "PendingDeletion"),
    "CancelKeyDeletion": {"PendingDeletion": "Disabled"},
    "ImportKeyMaterial": {"Enabled": "Enabled", "Disabled": "Disabled", "PendingImport": "Enabled"},
    "DeleteImportedKeyMaterial": {
        "Enabled": "PendingImport",
        "Disabled": "PendingImport",
        "PendingImport": "PendingImport",
        "PendingDeletion": "PendingDeletion",
    },
}
"""The state after an operation, by the one before; an operation fails in states that it does not have."""


class _ImportedKey:
    """A key with imported material, and a model of its state."""

    def __init__(self, kms: LocalKms) -> None:
        self.kms = kms
        self.key = kms.create_key(Origin="EXTERNAL")
        algorithm = "RSAES_OAEP_SHA_256"
        given = kms.call(
            "GetParametersForImport", KeyId=self.key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048"
        )
        public = load_der_public_key(given["PublicKey"])
        assert isinstance(public, rsa.RSAPublicKey)
        wrapped = public.encrypt(b"k" * 32, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        self.params: dict[str, dict[str, Any]] = {
            "ImportKeyMaterial": {
                "ImportToken": given["ImportToken"],
                "EncryptedKeyMaterial": wrapped,
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            }
        }
        self.state, self.has_material = "PendingImport", False

    def change(self, operation: str) -> None:
        """Call an operation, and expect what the model says of it."""
        after = _CHANGES[operation].get(self.state)
        if after is None:
            assert self.attempt(operation, **self.params.get(operation, {})) == _INVALID
        else:
            assert self.attempt(operation, **self.params.get(operation, {})) == _TICK
            self.has_material = {"ImportKeyMaterial": True, "DeleteImportedKeyMaterial": False}.get(
                operation, self.has_material
            )
            self.state = after if self.has_material or after != "Disabled" else "PendingImport"
        assert self.kms.call("DescribeKey", KeyId=self.key)["KeyMetadata"]["KeyState"] == self.state

    def attempt(self, operation: str, **params: Any) -> str:
        """Call an operation; return the code of the error, if there is one."""
        try:
            self.kms.call(operation, **{"KeyId": self.key, **params})
        except AwsError as error:
            return error.code
        return _TICK


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Any:
    server = LocalKms(Path(tmp_path_factory.mktemp("kms")))
    yield server
    server.close()


@settings(max_examples=15)
@given(walk=st.lists(st.sampled_from(sorted(_CHANGES)), max_size=12))
def test_states_follow_the_model(kms: LocalKms, walk: list[str]) -> None:
    key = _ImportedKey(kms)
    for operation in walk:
        key.change(operation)
    assert key.attempt("Encrypt", Plaintext=b"x") == _USE[_STATES.index(key.state)]


_WAYS = {
    "Enabled": [],
    "Disabled": ["DisableKey"],
    "PendingImport": ["DeleteImportedKeyMaterial"],
    "PendingDeletion": ["ScheduleKeyDeletion"],
}


@pytest.mark.parametrize("state", _STATES)
def test_what_each_state_admits(kms: LocalKms, state: str) -> None:
    key = _ImportedKey(kms)
    key.change("ImportKeyMaterial")
    blob = kms.call("Encrypt", KeyId=key.key, Plaintext=b"x")["CiphertextBlob"]
    other = kms.create_key()
    name = f"alias/{key.key.rpartition('/')[2]}"
    kms.call("CreateAlias", AliasName=name, TargetKeyId=other)
    for operation in _WAYS[state]:
        key.change(operation)
    policy = kms.call("GetKeyPolicy", KeyId=key.key)["Policy"]
    params: dict[str, dict[str, Any]] = {
        "CreateAlias": {"AliasName": f"{name}-2", "TargetKeyId": key.key},
        "CreateGrant": {"GranteePrincipal": ALICE.arn, "Operations": ["Encrypt"]},
        "Decrypt": {"CiphertextBlob": blob},
        "Encrypt": {"Plaintext": b"x"},
        "GenerateDataKey": {"KeySpec": "AES_256"},
        "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
        "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        "PutKeyPolicy": {"Policy": policy},
        "ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": other},
        "TagResource": {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
        "UntagResource": {"TagKeys": ["a"]},
        "UpdateAlias": {"AliasName": name, "TargetKeyId": key.key},
        "UpdateKeyDescription": {"Description": "x"},
    }
    answers = {operation: key.attempt(operation, **params.get(operation, {})) for operation in _TABLE}
    assert answers == {operation: row[_STATES.index(state)] for operation, row in _TABLE.items()}
