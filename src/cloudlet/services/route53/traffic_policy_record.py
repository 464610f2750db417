"""Traffic policies and their instances as they are stored."""

from __future__ import annotations

import msgspec

from cloudlet.services.route53.block import REGION


class PolicyVersion(msgspec.Struct, frozen=True):
    document: str
    comment: str | None = None


class TrafficPolicy(msgspec.Struct, frozen=True):
    """A traffic policy with all its versions."""

    account: str
    name: str
    """The id. Records are kept by name."""
    title: str
    type: str
    latest: int
    versions: dict[int, PolicyVersion]

    @property
    def region(self) -> str:
        return REGION


class TrafficPolicyInstance(msgspec.Struct, frozen=True):
    """The records that a traffic policy makes at a name of a zone."""

    account: str
    name: str
    """The id. Records are kept by name."""
    zone: str
    domain: str
    ttl: int
    policy: str
    version: int
    type: str

    @property
    def region(self) -> str:
        return REGION
