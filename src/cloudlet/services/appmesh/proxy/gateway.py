"""Virtual gateways.

A request goes through the Envoy twice, as with AWS: a gateway route chooses a virtual service, rewrites the request and
sends it to the Envoy's own way out, whose routes choose a virtual node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.kinds import Spec, get_route
from cloudlet.services.appmesh.proxy.clusters import make_gateway_check, make_local_cluster
from cloudlet.services.appmesh.proxy.filters import make_http_filter
from cloudlet.services.appmesh.proxy.inbound import make_chains, make_listener, make_routes
from cloudlet.services.appmesh.proxy.matching import make_match
from cloudlet.services.appmesh.proxy.node_id import LOOPBACK, EnvoyNode
from cloudlet.services.appmesh.proxy.outbound import EGRESS_PORT, ClusterSet, get_default_policy
from cloudlet.services.appmesh.proxy.routing import ServicePort, list_ports, make_service_routes
from cloudlet.services.appmesh.proxy.view import MeshView, Surroundings

_TARGET_HEADER: Final = "x-appmesh-target"
"""The header that tells the way out which port of which virtual service was chosen. It does not leave the Envoy."""
_EGRESS_ROUTES: Final = f"rds_egress_http_{EGRESS_PORT}"


class Gateway:
    """The resources of a virtual gateway."""

    def __init__(self, node: EnvoyNode, view: MeshView, spec: Spec, surroundings: Surroundings, bind: str) -> None:
        self._view = view
        self._node = node
        self._loop = node.address or LOOPBACK
        self._ports: dict[str, ServicePort] = {}
        self.set = ClusterSet(view, surroundings, get_default_policy(spec))
        self.routes: list[Resource] = []
        self.listeners: list[Resource] = []
        for listener in spec["listeners"]:
            self._add_listener(listener, spec, bind)
        self._add_egress(spec)

    def _add_listener(self, listener: Mapping[str, Any], spec: Spec, bind: str) -> None:
        port, protocol = listener["portMapping"]["port"], listener["portMapping"]["protocol"]
        cluster = f"cds_ingress_{self._view.name}_{self._node.name}_self_redirect_{protocol}_{EGRESS_PORT}"
        pool = listener.get("connectionPool")
        self.set.clusters[cluster] = make_local_cluster(cluster, self._loop, EGRESS_PORT, protocol, pool)
        if listener.get("healthCheck"):
            check = f"cds_ingress_{self._view.name}_{self._node.name}_health_{protocol}_{port}"
            self.set.clusters[check] = make_gateway_check(check, self._loop, listener)
        name = f"rds_ingress_{protocol}_{port}"
        routes = list(self._make_ingress_routes(port, cluster))
        self.routes.append(make_routes(name, [{"name": "ingress", "domains": ["*"], "routes": routes}]))
        inner = make_http_filter("ingress", name, spec, protocol, is_edge=True)
        self.listeners.append(make_listener("ingress", bind, port, list(make_chains(listener, inner))))

    def _make_ingress_routes(self, port: int, cluster: str) -> Iterator[Resource]:
        """Yield the gateway routes of a listener, in their order."""
        for spec in self._view.gateway_routes.get(self._node.name, ()):
            kind, route = get_route(spec)
            if route["match"].get("port") not in (None, port):
                continue
            target = self._find_port(route["action"]["target"])
            if target is None:
                yield {"match": make_match(kind, route["match"]), "direct_response": {"status": 503}}
                continue
            header = {"key": _TARGET_HEADER, "value": f"{target.service}:{target.port}"}
            for match, rewrite in _list_rewrites(kind, route):
                yield {
                    "match": make_match(kind, match),
                    "route": {"cluster": cluster, "timeout": "0s", **rewrite, **_rewrite_host(route, target)},
                    "request_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
                }

    def _find_port(self, target: Mapping[str, Any]) -> ServicePort | None:
        """Return the port of a virtual service that a gateway route leads to, if any."""
        service = target["virtualService"]["virtualServiceName"]
        ports = [each for each in list_ports(self._view, service) if each.protocol != "tcp"]
        found = next((each for each in ports if target.get("port") in (None, each.port)), None)
        if found is not None:
            self._ports[f"{service}:{found.port}"] = found
        return found

    def _add_egress(self, spec: Spec) -> None:
        routes = []
        for name, at in self._ports.items():
            for route in make_service_routes(self._view, at, self.set.make_finder(at.service, None)):
                chosen = {"name": _TARGET_HEADER, "string_match": {"exact": name}}
                match = {**route["match"], "headers": [chosen, *route["match"].get("headers", ())]}
                routes.append({**route, "match": match, "request_headers_to_remove": [_TARGET_HEADER]})
        host = {"name": "egress", "domains": ["*"], "routes": routes}
        self.routes.append(make_routes(_EGRESS_ROUTES, [host]))
        inner = make_http_filter("egress", _EGRESS_ROUTES, {})
        chain = {"filter_chain_match": {}, "filters": [inner]}
        self.listeners.append(make_listener("egress", self._loop, EGRESS_PORT, [chain]))


def _rewrite_host(route: Mapping[str, Any], target: ServicePort) -> Resource:
    """Return the rewrite of the host to the virtual service's name, unless it is disabled."""
    hostname = (route["action"].get("rewrite") or {}).get("hostname") or {}
    is_rewritten = hostname.get("defaultTargetHostname") != "DISABLED"
    return {"host_rewrite_literal": target.service} if is_rewritten else {}


def _list_rewrites(kind: str, route: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Resource]]:
    """Yield the matches of a gateway route, each with its rewrite of paths.

    Of what matches a prefix, that is replaced by "/", unless this is disabled, or another value is given.
    """
    match, rewrite = route["match"], route["action"].get("rewrite") or {}
    prefix, given = match.get("prefix"), rewrite.get("prefix") or {}
    if "exact" in (rewrite.get("path") or {}):
        substitution = rewrite["path"]["exact"].replace("\\", "\\\\")
        yield match, {"regex_rewrite": {"pattern": {"regex": ".*"}, "substitution": substitution}}
    elif kind == "grpcRoute" or prefix is None or given.get("defaultPrefix") == "DISABLED":
        yield match, {}
    elif "value" in given:
        yield match, {"prefix_rewrite": given["value"]}
    else:
        if not prefix.endswith("/"):
            yield {**match, "prefix": f"{prefix}/"}, {"prefix_rewrite": "/"}
        yield match, {"prefix_rewrite": "/"} if prefix != "/" else {}
