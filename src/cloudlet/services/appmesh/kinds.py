"""The seven kinds of resources: data from which their operations are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cloudlet.services.appmesh import limits

Spec = dict[str, Any]
"""A resource's specification, as the API has it."""
Reference = tuple[str, str]
"""A resource that another one's specification names: the title of its kind, and its name."""

ROUTE_TYPES: Final = ("httpRoute", "http2Route", "grpcRoute", "tcpRoute")


def _list_none(spec: Spec) -> Iterator[Reference]:
    """Yield nothing: what a virtual node's backends name need not be there (App Mesh's design)."""
    yield from ()


def _list_providers(spec: Spec) -> Iterator[Reference]:
    provider = spec.get("provider") or {}
    for member, title in (("virtualNode", "VirtualNode"), ("virtualRouter", "VirtualRouter")):
        if member in provider:
            yield title, provider[member][f"{member}Name"]


def get_route(spec: Spec) -> tuple[str, dict[str, Any]]:
    """Return the type of a route or gateway route, and what it says."""
    return next((name, spec[name]) for name in ROUTE_TYPES if spec.get(name) is not None)


def _list_targets(spec: Spec) -> Iterator[Reference]:
    for target in get_route(spec)[1]["action"]["weightedTargets"]:
        yield "VirtualNode", target["virtualNode"]


def _list_target_services(spec: Spec) -> Iterator[Reference]:
    target = get_route(spec)[1]["action"]["target"]
    yield "VirtualService", target["virtualService"]["virtualServiceName"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resources."""

    title: str
    """The name in operations and errors: "VirtualNode"."""
    plural: str
    """The plural in operations: "VirtualNodes"."""
    quota: int
    """The greatest number of them in a mesh, router or gateway."""
    owner: str = "Mesh"
    """The title of the kind of what it belongs to; a mesh belongs to nothing."""
    list_references: Callable[[Spec], Iterator[Reference]] = _list_none

    @property
    def member(self) -> str:
        """The name as a member and in ARNs: "virtualNode"."""
        return self.title[0].lower() + self.title[1:]

    @property
    def list_member(self) -> str:
        """The member with a list: "virtualNodes"."""
        return self.plural[0].lower() + self.plural[1:]


_NAME_MEMBERS: Final = {
    "Mesh": "meshName",
    "VirtualService": "virtualServiceName",
    "VirtualNode": "virtualNodeName",
    "VirtualRouter": "virtualRouterName",
    "Route": "routeName",
    "VirtualGateway": "virtualGatewayName",
    "GatewayRoute": "gatewayRouteName",
}


def get_name_member(kind: Kind) -> str:
    """Return the member with the name of a resource."""
    return _NAME_MEMBERS[kind.title]


MESH: Final = Kind("Mesh", "Meshes", limits.MAX_MESHES, "")
VIRTUAL_SERVICE: Final = Kind(
    "VirtualService", "VirtualServices", limits.MAX_VIRTUAL_SERVICES, list_references=_list_providers
)
VIRTUAL_NODE: Final = Kind("VirtualNode", "VirtualNodes", limits.MAX_VIRTUAL_NODES)
VIRTUAL_ROUTER: Final = Kind("VirtualRouter", "VirtualRouters", limits.MAX_VIRTUAL_ROUTERS)
ROUTE: Final = Kind("Route", "Routes", limits.MAX_ROUTES, "VirtualRouter", _list_targets)
VIRTUAL_GATEWAY: Final = Kind("VirtualGateway", "VirtualGateways", limits.MAX_VIRTUAL_GATEWAYS)
GATEWAY_ROUTE: Final = Kind(
    "GatewayRoute", "GatewayRoutes", limits.MAX_GATEWAY_ROUTES, "VirtualGateway", _list_target_services
)

KINDS: Final = {
    kind.title: kind
    for kind in (MESH, VIRTUAL_SERVICE, VIRTUAL_NODE, VIRTUAL_ROUTER, ROUTE, VIRTUAL_GATEWAY, GATEWAY_ROUTE)
}
