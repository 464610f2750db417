"""Secrets, their replicas and their rotation, as they are stored."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core.aws.arn import partition_of

Rules = dict[str, Any]
"""A rotation schedule as RotateSecret has it (RotationRules)."""


class Replica(msgspec.Struct, frozen=True):
    """A replica in another region, from its primary's side."""

    kms_key: str
    """The KmsKeyId of requests; empty for the key that AWS manages."""
    status: str
    message: str


class Rotation(msgspec.Struct, frozen=True):
    """The rotation of a secret. Times are in seconds since the epoch."""

    lambda_arn: str
    rules: Rules
    anchor: float
    """The time when the schedule was set: rates in hours count from the midnight before."""
    is_enabled: bool = True
    opens: float = 0.0
    """The time when the next window opens; 0 where none is scheduled."""
    closes: float = 0.0
    rotated: float = 0.0
    """The time of the last rotation that succeeded; 0 where none has."""


class Secret(msgspec.Struct, frozen=True):
    """A secret without its values. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    suffix: str
    """The random characters at the end of its ARN."""
    created: float
    changed: float
    description: str = ""
    kms_key: str = ""
    """The KmsKeyId of requests; empty for the key that AWS manages."""
    tags: dict[str, str] = {}
    policy: str = ""
    stages: dict[str, str] = {}
    """The version that each staging label is attached to."""
    versions: int = 0
    """The number of versions that have a value."""
    accessed: float = 0.0
    """The day of the last access, by its midnight; 0 where there was none."""
    deleted: float = 0.0
    """The time when it was marked for deletion; 0 where it is not."""
    expires: float = 0.0
    """The time when it is deleted for good; 0 where it is not to be."""
    primary_region: str = ""
    """The region of its primary, of a replica."""
    replicas: dict[str, Replica] = {}
    """The replicas, by region."""
    rotation: Rotation | None = None
    owner: str = ""
    """The service that manages it: "rds"; empty where a customer does."""

    @property
    def arn(self) -> str:
        partition = partition_of(self.region)
        return f"arn:{partition}:secretsmanager:{self.region}:{self.account}:secret:{self.name}-{self.suffix}"

    def list_stages(self, version: str) -> list[str]:
        """Return the staging labels of a version."""
        return [label for label, attached in self.stages.items() if attached == version]
