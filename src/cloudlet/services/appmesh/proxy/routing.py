"""Routes to virtual services, through their virtual routers or to their virtual nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.kinds import Spec, get_route
from cloudlet.services.appmesh.proxy.matching import make_match
from cloudlet.services.appmesh.proxy.retries import make_retry_policy, make_timeouts
from cloudlet.services.appmesh.proxy.view import MeshView

Listener = Mapping[str, Any]
FindCluster = Callable[[str, Listener], str]
"""A function that makes the cluster of a virtual node's listener, and names it."""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a virtual service, as clients use it."""

    service: str
    port: int
    protocol: str
    provider: Spec
    """The specification of the virtual service's provider."""


def list_ports(view: MeshView, service: str) -> Iterator[ServicePort]:
    """Yield the ports of a virtual service; none of one without a provider."""
    provider = (view.services.get(service) or {}).get("provider") or {}
    spec: Spec | None = None
    if "virtualRouter" in provider:
        spec = view.routers.get(provider["virtualRouter"]["virtualRouterName"])
    elif "virtualNode" in provider:
        spec = view.nodes.get(provider["virtualNode"]["virtualNodeName"])
    for listener in (spec or {}).get("listeners") or ():
        mapping = listener["portMapping"]
        yield ServicePort(service, mapping["port"], mapping["protocol"], provider)


def _find_listener(view: MeshView, node: str, port: int | None) -> Listener | None:
    """Return a listener of a virtual node: that on a port, or the first one."""
    listeners = (view.nodes.get(node) or {}).get("listeners") or ()
    return next((each for each in listeners if port in (None, each["portMapping"]["port"])), None)


def _list_routes(view: MeshView, at: ServicePort) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the types and contents of the routes of a virtual service's port."""
    for spec in view.routes.get(at.provider["virtualRouter"]["virtualRouterName"], ()):
        kind, route = get_route(spec)
        if (route.get("match") or {}).get("port") in (None, at.port) and (kind == "tcpRoute") == (at.protocol == "tcp"):
            yield kind, route


def _list_targets(view: MeshView, route: Mapping[str, Any], find_cluster: FindCluster) -> list[tuple[str, int]]:
    """Return the clusters of a route's targets with their weights."""
    targets = []
    for target in route["action"]["weightedTargets"]:
        listener = _find_listener(view, target["virtualNode"], target.get("port"))
        if listener is not None:
            targets.append((find_cluster(target["virtualNode"], listener), target["weight"]))
    return targets if any(weight for _, weight in targets) else []


def list_tcp_targets(
    view: MeshView, at: ServicePort, find_cluster: FindCluster
) -> tuple[list[tuple[str, int]], Mapping[str, Any] | None]:
    """Return the targets of a port of TCP, with weights, and its timeouts."""
    if "virtualNode" in at.provider:
        node = at.provider["virtualNode"]["virtualNodeName"]
        listener = _find_listener(view, node, at.port)
        if listener is None:
            return [], None
        return [(find_cluster(node, listener), 1)], (listener.get("timeout") or {}).get("tcp")
    for _, route in _list_routes(view, at):
        # Envoy takes weights of zero for requests only.
        targets = [target for target in _list_targets(view, route, find_cluster) if target[1]]
        return targets, route.get("timeout")
    return [], None


def make_service_routes(view: MeshView, at: ServicePort, find_cluster: FindCluster) -> Iterator[Resource]:
    """Yield the routes of requests to a port of a virtual service, in their order."""
    if "virtualNode" in at.provider:
        node = at.provider["virtualNode"]["virtualNodeName"]
        listener = _find_listener(view, node, at.port)
        if listener is not None:
            timeout = (listener.get("timeout") or {}).get(at.protocol)
            targets = [(find_cluster(node, listener), 1)]
            yield {"match": {"prefix": "/"}, "route": _make_action(targets, timeout, None)}
        return
    for kind, route in _list_routes(view, at):
        targets = _list_targets(view, route, find_cluster)
        match = make_match(kind, route["match"])
        if targets:
            yield {"match": match, "route": _make_action(targets, route.get("timeout"), route.get("retryPolicy"))}
        else:
            yield {"match": match, "direct_response": {"status": 503}}


def _make_action(
    targets: list[tuple[str, int]], timeout: Mapping[str, Any] | None, retries: Mapping[str, Any] | None
) -> Resource:
    chosen: Resource = {"cluster": targets[0][0]}
    if len(targets) > 1:
        chosen = {"weighted_clusters": {"clusters": [{"name": name, "weight": weight} for name, weight in targets]}}
    return {**chosen, **make_timeouts(timeout), "retry_policy": make_retry_policy(retries)}
