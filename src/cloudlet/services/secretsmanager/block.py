"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service(
    "secretsmanager",
    hidden=("RandomPassword", "RotationToken", "SecretBinary", "SecretString"),
    internal_failure="InternalServiceError",
    decides="all",
    reserved_tag="InvalidParameterException",
)
