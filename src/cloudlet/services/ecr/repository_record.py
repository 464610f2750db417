"""Repositories as they are stored."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecr.public_registry import REGION


class Repository(msgspec.Struct, frozen=True, omit_defaults=True):
    """A repository. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    id: str
    """Random: a repository does not get what an earlier one had."""
    created: float
    mutability: str = "MUTABLE"
    exclusions: tuple[str, ...] = ()
    """The patterns of tags for which the opposite of the mutability holds."""
    scans_on_push: bool = False
    encryption: str = "AES256"
    kms_key: str = ""
    policy: str = ""
    lifecycle: str = ""
    """The text of its lifecycle policy."""
    evaluated: float = 0.0
    """The time at which the lifecycle policy was carried out last."""
    lifecycle_due: int = 0
    """The time at which it is carried out next, in milliseconds."""
    preview: str = ""
    """The text of the lifecycle policy of which a preview was asked for last."""
    pulls_through: str = ""
    """The prefix of the pull-through cache rule that has made it."""
    catalog: dict[str, Any] = {}
    """The catalog data of a public repository, as the API has them."""

    @property
    def is_public(self) -> bool:
        """Whether everybody may pull from it."""
        return self.region == REGION

    @property
    def path(self) -> str:
        """Account, region and name, as one text."""
        return f"{self.account}/{self.region}/{self.name}"
