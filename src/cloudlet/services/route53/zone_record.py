"""Hosted zones, changes and delegation sets as they are stored."""

from __future__ import annotations

import msgspec

from cloudlet.services.route53.block import REGION


class Vpc(msgspec.Struct, frozen=True, order=True):
    region: str
    id: str


class Zone(msgspec.Struct, frozen=True):
    """A hosted zone."""

    account: str
    name: str
    """The id. Records are kept by name."""
    domain: str
    reference: str
    """The CallerReference."""
    created: float
    servers: tuple[str, ...] = ()
    """The name servers of its delegation set; a private one has names, too."""
    vpcs: tuple[Vpc, ...] = ()
    """The VPCs that a private zone answers for."""
    is_private: bool = False
    comment: str | None = None
    delegation_set: str = ""
    """The id of a reusable one."""
    records: int = 0
    """The number of record sets."""
    linked_service: tuple[str, str] | None = None
    """The principal and description of the service that made it."""
    signs: bool = False
    """Whether answers are signed (DNSSEC)."""

    @property
    def region(self) -> str:
        return REGION


class Change(msgspec.Struct, frozen=True):
    """A change of what is answered. It is PENDING until that is in memory nowhere any more."""

    account: str
    name: str
    submitted: float
    comment: str | None = None
    is_in_sync: bool = False

    @property
    def region(self) -> str:
        return REGION


class DelegationSet(msgspec.Struct, frozen=True):
    """A reusable delegation set."""

    account: str
    name: str
    reference: str
    servers: tuple[str, ...]

    @property
    def region(self) -> str:
        return REGION
