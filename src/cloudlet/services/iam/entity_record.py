"""The records of users, groups, roles, instance profiles and managed policies.

Documents are kept as they were given. State belongs to an account; IAM has no regions.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from cloudlet.core.aws.tags import Tags


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with a path and a name, which are not distinguished by case."""

    kind: ClassVar[str]
    """The resource type in its ARN."""
    account: str
    partition: str
    name: str
    path: str
    id: str
    """The unique id, which no other resource ever has."""
    created: float
    tags: Tags = {}

    @property
    def arn(self) -> str:
        """The ARN, which has no region."""
        return f"arn:{self.partition}:iam::{self.account}:{self.kind}{self.path}{self.name}"

    @property
    def key(self) -> str:
        """The name in the form in which names are compared."""
        return self.name.lower()


class Identity(Entity, frozen=True, kw_only=True):
    """A user, a group or a role: policies are attached to it."""

    inline: dict[str, str] = {}
    """Inline policies: their documents by their names."""
    attached: tuple[str, ...] = ()
    """The ARNs of managed policies."""
    boundary: str = ""
    """The ARN of the managed policy that is its permissions boundary; groups have none."""


class User(Identity, frozen=True, kw_only=True):
    """A user."""

    kind = "user"
    groups: tuple[str, ...] = ()
    """The keys of the groups that it is in."""
    password_used: float = 0.0
    """The time of its last sign-in with its password; 0 where there was none."""


class Group(Identity, frozen=True, kw_only=True):
    """A group of users."""

    kind = "group"


class Role(Identity, frozen=True, kw_only=True):
    """A role."""

    kind = "role"
    trust_policy: str
    description: str | None = None
    max_session_seconds: int = 3600


class InstanceProfile(Entity, frozen=True, kw_only=True):
    """A container for the role of EC2 instances."""

    kind = "instance-profile"
    role: str = ""
    """The key of its role."""


class PolicyVersion(msgspec.Struct, frozen=True):
    """A version of a managed policy."""

    number: int
    document: str
    created: float

    @property
    def id(self) -> str:
        """The name in the API."""
        return f"v{self.number}"


class ManagedPolicy(Entity, frozen=True, kw_only=True):
    """A managed policy."""

    kind = "policy"
    versions: tuple[PolicyVersion, ...]
    """The oldest first."""
    default: int = 1
    """The number of the version that is in force."""
    updated: float
    description: str | None = None
    last_number: int = 1
    """The highest number that a version has had: none is given again."""

    @property
    def document(self) -> str:
        """The document in force."""
        return next(version.document for version in self.versions if version.number == self.default)
