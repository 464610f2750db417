"""The ids by which Envoys say what they are.

An id is an ARN (APPMESH_RESOURCE_ARN), or the path in it (APPMESH_VIRTUAL_NODE_NAME), which stands for a resource of
the default account and region. What follows is Cloudlet's own: `@ADDRESS[/APPLICATION]` is for an Envoy to which no
traffic is redirected. It listens on that address, and its application on the other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cloudlet.core.aws.arn import Arn

VIRTUAL_NODE: Final = "virtualNode"
VIRTUAL_GATEWAY: Final = "virtualGateway"
_KINDS: Final = (VIRTUAL_NODE, VIRTUAL_GATEWAY)
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class EnvoyNode:
    """An Envoy of a virtual node or a virtual gateway."""

    account: str
    region: str
    mesh: str
    kind: str
    name: str
    address: str = ""
    """The address that it listens on; empty where traffic is redirected to it."""
    application: str = LOOPBACK
    """The address that its application listens on."""

    @property
    def path(self) -> str:
        """The path of the resource in its ARN."""
        return f"mesh/{self.mesh}/{self.kind}/{self.name}"


def parse_node_id(text: str, account: str, region: str) -> EnvoyNode | None:
    """Return what an id says; None for anything else. An id without them is of this account and region."""
    resource, _, addresses = text.partition("@")
    if resource.startswith("arn:"):
        try:
            arn = Arn.parse(resource)
        except ValueError:
            return None
        if arn.service != "appmesh":
            return None
        account, region, resource = arn.account, arn.region, arn.resource
    match resource.split("/"):
        case ["mesh", mesh, kind, name] if kind in _KINDS and mesh and name:
            address, _, application = addresses.partition("/")
            return EnvoyNode(account, region, mesh, kind, name, address, application or LOOPBACK)
    return None
