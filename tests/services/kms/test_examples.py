"""AWS's own examples of calls, as botocore has them."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from cloudlet.testing.server import Aws
from tests.services.iam.documents import LAMBDA
from tests.services.kms.test_imports import import_material, wrap

EXAMPLES: dict[str, list[dict[str, Any]]] = Loader().load_service_model("kms", "examples-1")["examples"]
CASES = [
    pytest.param(operation, example, id=f"{operation}{number or ''}")
    for operation, examples in EXAMPLES.items()
    for number, example in enumerate(examples)
    # Custom key stores are not built.
    if "CustomKeyStore" not in operation and "CustomKeyStoreId" not in example.get("input", {})
]
_SIGNING: Final = {"KeySpec": "ECC_NIST_P384", "KeyUsage": "SIGN_VERIFY"}
_AUTHENTICATING: Final = {"KeySpec": "HMAC_384", "KeyUsage": "GENERATE_VERIFY_MAC"}
_IMPORTED: Final = {"Origin": "EXTERNAL"}
KEYS: dict[str, dict[str, Any]] = {
    "DeleteImportedKeyMaterial": _IMPORTED,
    "GenerateMac": _AUTHENTICATING,
    "GetParametersForImport": _IMPORTED,
    "GetPublicKey": {"KeySpec": "RSA_4096", "KeyUsage": "ENCRYPT_DECRYPT"},
    "ImportKeyMaterial": _IMPORTED,
    "ReplicateKey": {"MultiRegion": True},
    "Sign": _SIGNING,
    "Verify": _SIGNING,
    "VerifyMac": _AUTHENTICATING,
}
"""The keys that operations need, where a symmetric one is not right."""
OPTIONAL = {
    # Of keys of other kinds.
    "DescribeKey": {"EncryptionAlgorithms", "SigningAlgorithms", "MacAlgorithms", "MultiRegionConfiguration"},
}


def _fill(aws: Aws, kms: Any, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return an example's parameters with keys and texts that are there."""
    filled: dict[str, Any] = json.loads(json.dumps(given).replace("111122223333", aws.account))
    key = kms.create_key(**KEYS.get(operation, {}))["KeyMetadata"]["KeyId"]
    if str(given.get("KeyId", "")).startswith("alias/"):
        kms.create_alias(AliasName=given["KeyId"], TargetKeyId=key)
    elif "KeyId" in given:
        filled["KeyId"] = key
    for member in ("TargetKeyId", "DestinationKeyId"):
        if member in given:
            filled[member] = key
    if operation in ("DeleteAlias", "UpdateAlias"):
        kms.create_alias(AliasName=given["AliasName"], TargetKeyId=key)
    if operation == "CancelKeyDeletion":
        kms.schedule_key_deletion(KeyId=key)
    if "CiphertextBlob" in given:
        filled["CiphertextBlob"] = kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    if "GrantId" in given:
        made = kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{aws.account}:root", Operations=["Decrypt"])
        filled["GrantId"] = made["GrantId"]
    if "Signature" in given:
        signed = {name: filled[name] for name in ("KeyId", "Message", "MessageType", "SigningAlgorithm")}
        filled["Signature"] = kms.sign(**signed)["Signature"]
    if "Mac" in given:
        said = {name: filled[name] for name in ("KeyId", "Message", "MacAlgorithm")}
        filled["Mac"] = kms.generate_mac(**said)["Mac"]
    if "ImportToken" in given:
        algorithm = "RSAES_OAEP_SHA_256"
        token = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
        filled["ImportToken"] = token["ImportToken"]
        filled["EncryptedKeyMaterial"] = wrap(token["PublicKey"], algorithm, bytes(32))
    if operation == "DeleteImportedKeyMaterial":
        import_material(kms, key, bytes(32))
    return filled


@pytest.mark.parametrize(("operation", "example"), CASES)
def test_it_answers_as_the_example_does(aws: Aws, kms: Any, operation: str, example: dict[str, Any]) -> None:
    for name in ("ExampleRole", "ExampleAdminRole", "ExamplePowerUserRole"):
        aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA)
    aws.client("iam").create_user(UserName="ExampleAdminUser")
    answer = getattr(kms, xform_name(operation))(**_fill(aws, kms, operation, example.get("input") or {}))
    expected = example.get("output") or {}
    assert expected.keys() - answer.keys() == set()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert value.keys() - answer[name].keys() - OPTIONAL.get(operation, set()) == set()
