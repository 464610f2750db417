"""The way out: routes from an application to the virtual services that are its backends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.kinds import Spec
from cloudlet.services.appmesh.proxy.clusters import make_assignment, make_node_cluster, make_original_cluster
from cloudlet.services.appmesh.proxy.filters import TLS_INSPECTOR, make_http_filter, make_tcp_filter
from cloudlet.services.appmesh.proxy.inbound import make_listener, make_routes
from cloudlet.services.appmesh.proxy.routing import (
    FindCluster,
    Listener,
    ServicePort,
    list_ports,
    list_tcp_targets,
    make_service_routes,
)
from cloudlet.services.appmesh.proxy.view import MeshView, Surroundings

EGRESS_PORT: Final = 15001
"""The port that outbound connections are redirected to (ProxyEgressPort).

Requests may also be sent to it, as to a proxy; the host in them says to which virtual service they go.
"""
_HTTPS_PORT: Final = 443
_AWS: Final = "*.amazonaws.com"
Policies = Mapping[str, Mapping[str, Any] | None]
"""The client policies of virtual services that have their own, by names of these."""


class ClusterSet:
    """The clusters of virtual nodes that routes lead to, made as they are named."""

    def __init__(self, view: MeshView, surroundings: Surroundings, default: Mapping[str, Any] | None) -> None:
        self._view = view
        self._addresses = surroundings.addresses
        self._default = default
        self.clusters: dict[str, Resource] = {}
        self.endpoints: dict[str, Resource] = {}

    def make_finder(self, service: str, policy: Mapping[str, Any] | None) -> FindCluster:
        """Return a function that names clusters on the way to a virtual service.

        `policy` is that of the backend, if it has its own.
        """

        def find(node: str, listener: Listener) -> str:
            port, protocol = listener["portMapping"]["port"], listener["portMapping"]["protocol"]
            name = f"cds_egress_{self._view.name}_{node}_{protocol}_{port}"
            if policy is not None:
                name = f"{name}_{service}"
            if name not in self.clusters:
                spec = self._view.nodes[node]
                self.clusters[name] = make_node_cluster(name, spec, listener, policy or self._default)
                self.endpoints[name] = make_assignment(name, self._addresses.get(node, ()), port)
            return name

        return find


def get_default_policy(spec: Spec) -> Mapping[str, Any] | None:
    """Return the client policy of a node's or gateway's backends."""
    policy: Mapping[str, Any] | None = (spec.get("backendDefaults") or {}).get("clientPolicy")
    return policy


class Outbound:
    """The resources of the way out of a virtual node."""

    def __init__(self, view: MeshView, spec: Spec, surroundings: Surroundings, bind: str) -> None:
        self._view = view
        self._spec = spec
        self._original = f"cds_egress_{view.name}_original_dst"
        self.set = ClusterSet(view, surroundings, get_default_policy(spec))
        self.set.clusters[self._original] = make_original_cluster(self._original)
        self.routes: list[Resource] = []
        self._hosts: dict[int, list[Resource]] = {}
        self._own: list[Resource] = []
        """The hosts for requests to the listener's own port.

        A name alone stands for the service's first port.
        """
        self._domains: set[str] = set()
        self._chains: list[Resource] = []
        for backend in spec.get("backends") or ():
            self._add(backend["virtualService"])
        self.listener = self._make_listener(bind)

    def _add(self, backend: Mapping[str, Any]) -> None:
        service = backend["virtualServiceName"]
        find_cluster = self.set.make_finder(service, backend.get("clientPolicy"))
        for at in list_ports(self._view, service):
            if at.protocol == "tcp":
                self._add_tcp(at, find_cluster)
                continue
            # Hosts are the same in upper and lower case, which names of virtual services are not.
            host = service.lower()
            if f"{host}:{at.port}" not in self._domains:
                domains, routes = [host, f"{host}:{at.port}"], list(make_service_routes(self._view, at, find_cluster))
                self._hosts.setdefault(at.port, []).append(_make_host(domains, routes))
                own = [each for each in domains if each not in self._domains]
                self._domains.update(own)
                self._own.append(_make_host(own, routes))

    def _add_tcp(self, at: ServicePort, find_cluster: FindCluster) -> None:
        """Add a chain for a port of TCP, where no other one has it.

        Nothing tells the services of a port apart.
        """
        taken = {EGRESS_PORT, *(chain["filter_chain_match"]["destination_port"] for chain in self._chains)}
        targets, timeout = ([], None) if at.port in taken else list_tcp_targets(self._view, at, find_cluster)
        if targets:
            inner = make_tcp_filter("egress", targets, timeout, self._spec)
            self._chains.append({"filter_chain_match": {"destination_port": at.port}, "filters": [inner]})

    def _make_listener(self, bind: str) -> Resource:
        taken = {chain["filter_chain_match"]["destination_port"] for chain in self._chains}
        for port, hosts in self._hosts.items():
            if port not in taken | {EGRESS_PORT}:
                self._add_http_chain(port, [*hosts, *self._list_outside_hosts()])
        self._add_http_chain(EGRESS_PORT, self._own)
        outside = make_tcp_filter("egress", [(self._original, 1)], None, self._spec)
        if not self._view.allows_all:
            # AWS's own API stays within reach; its hosts are known by TLS's server names.
            match = {"destination_port": _HTTPS_PORT, "server_names": [_AWS], "transport_protocol": "tls"}
            self._chains.append({"filter_chain_match": match, "filters": [outside]})
        listener = make_listener("egress", bind, EGRESS_PORT, self._chains, is_redirected=True)
        if self._view.allows_all:
            listener["default_filter_chain"] = {"filters": [outside]}
        for inspector in listener["listener_filters"]:
            if inspector["name"] == TLS_INSPECTOR["name"]:
                # On other ports a server may have to speak first.
                ports = {"destination_port_range": {"start": _HTTPS_PORT, "end": _HTTPS_PORT + 1}}
                listener["listener_filters"] = [
                    *(each for each in listener["listener_filters"] if each is not inspector),
                    {**inspector, "filter_disabled": {"not_match": ports}},
                ]
        return listener

    def _list_outside_hosts(self) -> list[Resource]:
        """Return the routes of requests to hosts outside of the mesh."""
        route = {"match": {"prefix": "/"}, "route": {"cluster": self._original, "timeout": "0s"}}
        domains = ["*"] if self._view.allows_all else [_AWS]
        return [_make_host(domains, [route])]

    def _add_http_chain(self, port: int, hosts: list[Resource]) -> None:
        name = f"rds_egress_http_{port}"
        self.routes.append(make_routes(name, hosts))
        inner = make_http_filter("egress", name, self._spec)
        self._chains.append({"filter_chain_match": {"destination_port": port}, "filters": [inner]})


def _make_host(domains: list[str], routes: list[Resource]) -> Resource:
    return {"name": domains[0], "domains": domains, "routes": routes}
