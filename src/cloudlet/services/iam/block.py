"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service(
    "iam",
    internal_failure="ServiceFailure",
    hidden=(
        "AddPrivateKey",
        "AuthenticationCode1",
        "AuthenticationCode2",
        "Base32StringSeed",
        "NewPassword",
        "OldPassword",
        "Password",
        "PrivateKey",
        "QRCodePNG",
        "SecretAccessKey",
        "ServiceCredentialSecret",
        "ServicePassword",
    ),
)
