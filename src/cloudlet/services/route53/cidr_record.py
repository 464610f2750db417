"""CIDR collections as they are stored."""

from __future__ import annotations

import msgspec

from cloudlet.services.route53.block import REGION


class CidrCollection(msgspec.Struct, frozen=True):
    account: str
    name: str
    """The id. Records are kept by name."""
    title: str
    reference: str
    version: int = 1
    locations: dict[str, tuple[str, ...]] = {}
    """The blocks of each location."""

    @property
    def region(self) -> str:
        return REGION

    @property
    def arn(self) -> str:
        return f"arn:aws:route53:::cidrcollection/{self.name}"
