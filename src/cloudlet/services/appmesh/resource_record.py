"""A resource as it is stored."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.appmesh.kinds import KINDS


class Place(msgspec.Struct, frozen=True):
    """The key of a resource."""

    account: str
    region: str
    mesh: str
    """The name of the mesh that it is in; empty for a mesh itself."""
    kind: str
    """The title of its kind."""
    owner: str
    """The name of the virtual router or gateway that it belongs to; empty for others."""
    name: str

    @property
    def path(self) -> str:
        """The path of it in its ARN: `mesh/M/virtualRouter/R/route/X`."""
        kind = KINDS[self.kind]
        if not self.mesh:
            return f"mesh/{self.name}"
        owner = f"/{KINDS[kind.owner].member}/{self.owner}" if self.owner else ""
        return f"mesh/{self.mesh}{owner}/{kind.member}/{self.name}"

    @property
    def arn(self) -> str:
        return str(Arn(partition_of(self.region), "appmesh", self.region, self.account, self.path))


class Resource(msgspec.Struct, frozen=True):
    """A resource of any kind."""

    place: Place
    uid: str
    spec: dict[str, Any]
    created: float
    updated: float
    version: int = 1
    token: str = ""
    """The client token of the call that made it as it is."""
