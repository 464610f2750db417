"""The whole configuration of an Envoy."""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.engines.envoy.snapshot import Resource, Snapshot
from cloudlet.services.appmesh.proxy.gateway import Gateway
from cloudlet.services.appmesh.proxy.inbound import build_inbound
from cloudlet.services.appmesh.proxy.needs import list_trusts
from cloudlet.services.appmesh.proxy.node_id import VIRTUAL_GATEWAY, EnvoyNode
from cloudlet.services.appmesh.proxy.outbound import Outbound
from cloudlet.services.appmesh.proxy.tls import list_secret_names, make_secrets
from cloudlet.services.appmesh.proxy.view import MeshView, Surroundings


def build(view: MeshView, node: EnvoyNode, surroundings: Surroundings) -> Snapshot | None:
    """Return the configuration of an Envoy; None where the mesh has no such node."""
    spec = (view.gateways if node.kind == VIRTUAL_GATEWAY else view.nodes).get(node.name)
    if spec is None:
        return None
    bind = node.address or ("::" if view.get_ip_preference(spec) != "IPv4_ONLY" else "0.0.0.0")  # noqa: S104 - as on AWS
    if node.kind == VIRTUAL_GATEWAY:
        gateway = Gateway(node, view, spec, surroundings, bind)
        found, listeners, routes = gateway.set, gateway.listeners, gateway.routes
        clusters: list[Resource] = []
    else:
        inbound, outbound = build_inbound(node, spec, bind), Outbound(view, spec, surroundings, bind)
        found, clusters = outbound.set, inbound.clusters
        listeners, routes = [*inbound.listeners, outbound.listener], [*inbound.routes, *outbound.routes]
    all_clusters = {**found.clusters, **_map_by_name(clusters)}
    # An Envoy asks for secrets that it has a use for, and for no other ones.
    used = list_secret_names([*listeners, *all_clusters.values()])
    secrets = make_secrets(surroundings, list_trusts(spec))
    return Snapshot(
        _map_by_name(listeners),
        _map_by_name(routes),
        all_clusters,
        found.endpoints,
        {name: secret for name, secret in secrets.items() if name in used},
    )


def _map_by_name(resources: Iterable[Resource]) -> dict[str, Resource]:
    return {each["name"]: each for each in resources}
