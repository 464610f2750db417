"""A mesh and its surroundings, as an Envoy's configuration is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudlet.services.appmesh.kinds import Spec, get_route
from cloudlet.services.appmesh.resource_record import Resource

_LAST = 1001
"""The priority of routes that have none: behind all others."""


@dataclass(frozen=True, slots=True)
class MeshView:
    """All resources of one mesh by name. Routes are in the order in which they are tried."""

    name: str
    spec: Spec = field(default_factory=dict)
    services: Mapping[str, Spec] = field(default_factory=dict)
    nodes: Mapping[str, Spec] = field(default_factory=dict)
    routers: Mapping[str, Spec] = field(default_factory=dict)
    gateways: Mapping[str, Spec] = field(default_factory=dict)
    routes: Mapping[str, Sequence[Spec]] = field(default_factory=dict)
    """The routes of each virtual router."""
    gateway_routes: Mapping[str, Sequence[Spec]] = field(default_factory=dict)
    """The gateway routes of each virtual gateway."""

    @property
    def allows_all(self) -> bool:
        """Whether services outside the mesh can be called."""
        return (self.spec.get("egressFilter") or {}).get("type") == "ALLOW_ALL"

    def get_ip_preference(self, node: Spec) -> str:
        """Return the IP versions that a node uses; its own preference comes before the mesh's."""
        discovery = node.get("serviceDiscovery") or {}
        own = next((each.get("ipPreference") for each in discovery.values()), None)
        return own or (self.spec.get("serviceDiscovery") or {}).get("ipPreference") or "IPv4_ONLY"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of ACM, with its private key, in PEM."""

    chain: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Addresses and certificates, which are not in the mesh's resources."""

    addresses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The addresses that service discovery finds of virtual nodes, by their names."""
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """Certificates by their ARNs."""
    authorities: Mapping[str, str] = field(default_factory=dict)
    """The certificates of the authorities of certificates, in PEM, by the ARNs of these."""


def make_view(mesh: Resource, resources: Iterable[Resource]) -> MeshView:
    """Return a view of a mesh and of all resources in it."""
    named: dict[str, dict[str, Spec]] = {}
    owned: dict[str, dict[str, list[Resource]]] = {}
    for each in resources:
        if each.place.owner:
            owned.setdefault(each.place.kind, {}).setdefault(each.place.owner, []).append(each)
        else:
            named.setdefault(each.place.kind, {})[each.place.name] = each.spec
    return MeshView(
        mesh.place.name,
        mesh.spec,
        named.get("VirtualService", {}),
        named.get("VirtualNode", {}),
        named.get("VirtualRouter", {}),
        named.get("VirtualGateway", {}),
        {owner: _sort(routes) for owner, routes in owned.get("Route", {}).items()},
        {owner: _sort(routes) for owner, routes in owned.get("GatewayRoute", {}).items()},
    )


def _sort(routes: list[Resource]) -> list[Spec]:
    """Return routes by priority; of the same one, more specific matches come first."""
    return [each.spec for each in sorted(routes, key=lambda each: (*_rank(each.spec), each.place.name))]


def _rank(spec: Spec) -> tuple[int, int, int, int]:
    match: Mapping[str, Any] = get_route(spec)[1].get("match") or {}
    hostname, path = match.get("hostname") or {}, match.get("path") or {}
    service = f"/{match.get('serviceName') or ''}/{match.get('methodName') or ''}" if "serviceName" in match else ""
    length = len(path.get("exact") or path.get("regex") or match.get("prefix") or service)
    others = sum(len(match.get(member) or ()) for member in ("headers", "metadata", "queryParameters"))
    conditions = others + ("method" in match) + ("scheme" in match)
    host = 2 * ("exact" in hostname) + ("suffix" in hostname)
    return spec.get("priority", _LAST), -host, -length - 256 * ("exact" in path), -conditions
