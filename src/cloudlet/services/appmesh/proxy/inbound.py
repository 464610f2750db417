"""The way in: an Envoy's listeners for its own application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloudlet.engines.envoy.resource_parts import make_socket_address
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.kinds import Spec
from cloudlet.services.appmesh.proxy.clusters import make_local_cluster
from cloudlet.services.appmesh.proxy.filters import (
    ORIGINAL_DESTINATION,
    TLS_INSPECTOR,
    make_http_filter,
    make_tcp_filter,
)
from cloudlet.services.appmesh.proxy.node_id import EnvoyNode
from cloudlet.services.appmesh.proxy.retries import make_timeouts
from cloudlet.services.appmesh.proxy.tls import make_server_socket

INGRESS_PORT: Final = 15000
"""The port that inbound connections are redirected to (ProxyIngressPort)."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """The resources of the way in."""

    listeners: list[Resource]
    routes: list[Resource]
    clusters: list[Resource]


def build_inbound(node: EnvoyNode, spec: Spec, bind: str) -> Inbound:
    """Return the way in to a virtual node.

    Redirected connections all come to one port; an Envoy with an address has a listener for each of its own.
    """
    routes, clusters, chains = [], [], {}
    for listener in spec.get("listeners") or ():
        port, protocol = listener["portMapping"]["port"], listener["portMapping"]["protocol"]
        cluster = f"cds_ingress_{node.mesh}_{node.name}_{protocol}_{port}"
        pool = listener.get("connectionPool")
        clusters.append(make_local_cluster(cluster, node.application, port, protocol, pool))
        timeout = (listener.get("timeout") or {}).get(protocol)
        if protocol == "tcp":
            inner = make_tcp_filter("ingress", [(cluster, 1)], timeout, spec)
        else:
            name = f"rds_ingress_{protocol}_{port}"
            route = {"match": {"prefix": "/"}, "route": {"cluster": cluster, **make_timeouts(timeout)}}
            routes.append(make_routes(name, [{"name": "ingress", "domains": ["*"], "routes": [route]}]))
            inner = make_http_filter("ingress", name, spec, protocol)
        chains[port] = list(make_chains(listener, inner))
    if node.address:
        made = [make_listener("ingress", bind, port, of_port) for port, of_port in chains.items()]
    elif chains:
        every = [_match_port(chain, port) for port, of_port in chains.items() for chain in of_port]
        made = [make_listener("ingress", bind, INGRESS_PORT, every, is_redirected=True)]
    else:
        made = []
    return Inbound(made, routes, clusters)


def make_routes(name: str, hosts: list[Resource]) -> Resource:
    """Return a table of routes."""
    return {"name": name, "virtual_hosts": hosts, "validate_clusters": False}


def make_chains(listener: Mapping[str, Any], inner: Resource) -> Iterator[Resource]:
    """Yield the filter chains of a listener: one with TLS, one without, or both."""
    mode = (listener.get("tls") or {}).get("mode", "DISABLED")
    both = mode == "PERMISSIVE"
    if mode in ("STRICT", "PERMISSIVE"):
        match = {"transport_protocol": "tls"} if both else {}
        yield {"filter_chain_match": match, "filters": [inner], "transport_socket": make_server_socket(listener)}
    if mode != "STRICT":
        match = {"transport_protocol": "raw_buffer"} if both else {}
        yield {"filter_chain_match": match, "filters": [inner]}


def _match_port(chain: Resource, port: int) -> Resource:
    return {**chain, "filter_chain_match": {**chain["filter_chain_match"], "destination_port": port}}


def make_listener(
    direction: str, bind: str, port: int, chains: list[Resource], *, is_redirected: bool = False
) -> Resource:
    """Return a listener.

    Where connections are redirected to it, it finds out where they were to go.
    """
    inspects = any("transport_protocol" in chain["filter_chain_match"] for chain in chains)
    return {
        "name": f"lds_{direction}_{bind}_{port}",
        "address": make_socket_address(bind, port, ipv4_compat=bind == "::"),
        "listener_filters": [
            *([ORIGINAL_DESTINATION] if is_redirected else ()),
            *([TLS_INSPECTOR] if inspects else ()),
        ],
        "filter_chains": chains,
        "traffic_direction": "INBOUND" if direction == "ingress" else "OUTBOUND",
        "enable_reuse_port": False,
    }
