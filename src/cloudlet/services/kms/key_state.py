"""Key states: which operation takes place in which state.

KMS Developer Guide, "Key states of AWS KMS keys". The states Creating and Updating do not occur: what they stand for
is one transaction here. Unavailable is for custom key stores, which Cloudlet does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloudlet.core import AwsError
from cloudlet.services.kms import errors
from cloudlet.services.kms.key_record import Key

ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
PENDING_IMPORT: Final = "PendingImport"
PENDING_DELETION: Final = "PendingDeletion"
PENDING_REPLICA_DELETION: Final = "PendingReplicaDeletion"

_IS_DISABLED: Final = "is disabled."
_WORDS: Final = {
    DISABLED: _IS_DISABLED,
    PENDING_IMPORT: "is pending import.",
    PENDING_DELETION: "is pending deletion.",
    PENDING_REPLICA_DELETION: "is pending replica deletion.",
}
_NOT_PENDING: Final = "is not pending deletion."


def _refuse(*states: str) -> Mapping[str, str]:
    return {state: _WORDS[state] for state in states}


_WHILE_DELETED: Final = (PENDING_DELETION, PENDING_REPLICA_DELETION)
_USE: Final = _refuse(DISABLED, PENDING_IMPORT, *_WHILE_DELETED)
_SWITCH: Final = _refuse(PENDING_IMPORT, *_WHILE_DELETED)
_CHANGE: Final = _refuse(*_WHILE_DELETED)
_CANCEL: Final = dict.fromkeys((ENABLED, DISABLED, PENDING_IMPORT), _NOT_PENDING)

REFUSALS: Final[Mapping[str, Mapping[str, str]]] = {
    "CancelKeyDeletion": _CANCEL,
    "CreateAlias": _CHANGE,
    "CreateGrant": _USE,
    "Decapsulate": _USE,
    "Decrypt": _USE,
    "DeriveSharedSecret": _USE,
    "DisableKey": _SWITCH,
    "DisableKeyRotation": _USE,
    "EnableKey": _SWITCH,
    "EnableKeyRotation": _USE,
    "Encapsulate": _USE,
    "Encrypt": _USE,
    "GenerateDataKey": _USE,
    "GenerateDataKeyPair": _USE,
    "GenerateDataKeyPairWithoutPlaintext": _USE,
    "GenerateDataKeyWithoutPlaintext": _USE,
    "GenerateMac": _USE,
    "GetParametersForImport": _CHANGE,
    "GetPublicKey": _USE,
    "ImportKeyMaterial": _CHANGE,
    "ReEncryptFrom": _USE,
    "ReEncryptTo": _USE,
    "ReplicateKey": _USE,
    "RotateKeyOnDemand": _USE,
    "ScheduleKeyDeletion": _CHANGE,
    "Sign": _USE,
    "TagResource": _CHANGE,
    "UntagResource": _CHANGE,
    "UpdateAlias": _CHANGE,
    "UpdateKeyDescription": _CHANGE,
    "UpdatePrimaryRegion": _USE,
    "Verify": _USE,
    "VerifyMac": _USE,
}
"""The states in which an operation is refused, and what is said then. Any other operation takes place in all states."""


def check_state(key: Key, operation: str) -> None:
    """Raise KMSInvalidStateException or DisabledException where a key's state does not admit an operation."""
    words = REFUSALS.get(operation, {}).get(key.state)
    if words == _IS_DISABLED:
        raise AwsError("DisabledException", f"{key.arn} {words}")
    if words is not None:
        raise errors.InvalidState(f"{key.arn} {words}")
