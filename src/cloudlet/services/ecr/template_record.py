"""Repository creation templates as they are stored."""

from __future__ import annotations

import msgspec


class Template(msgspec.Struct, frozen=True, omit_defaults=True):
    """The settings of repositories that ECR creates by itself. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    """The prefix of the repositories' names, or ROOT."""
    created: float
    updated: float
    applied_for: tuple[str, ...]
    description: str = ""
    encryption: str = "AES256"
    kms_key: str = ""
    tags: dict[str, str] = {}
    mutability: str = "MUTABLE"
    exclusions: tuple[str, ...] = ()
    policy: str = ""
    lifecycle: str = ""
    role: str = ""
