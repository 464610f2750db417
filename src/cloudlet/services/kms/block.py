"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Service

_READ_ONLY: Final = (
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
)

service = Service(
    "kms",
    namespace="AWS/KMS",
    read_only=_READ_ONLY,
    hidden=("GrantToken", "GrantTokens"),
    internal_failure="KMSInternalException",
    decides="all",
)
"""CloudTrail has all calls among management events."""
