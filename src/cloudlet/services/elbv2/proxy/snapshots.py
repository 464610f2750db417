"""The whole configuration of an Envoy, made of the view of a VPC."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from cloudlet.engines.envoy.snapshot import Resource, Snapshot
from cloudlet.services.elbv2.proxy import clusters, forwarding, listeners, names, network_listeners, tls
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, View


@dataclass(frozen=True, slots=True)
class Paths:
    """Files by which Envoy and the block find each other."""

    block: str
    """The socket at which the block answers for functions and identity providers."""
    health_events: str
    """The file to which Envoy writes what health checks have found."""
    has_module: bool = False
    """Whether Envoy has our module for trace ids."""


def make_snapshot(view: View, paths: Paths) -> Snapshot:
    """Return the configuration of the Envoy of a VPC but for datagrams."""
    found, routes = _Resources(view, paths), {}
    for load_balancer, listener in _list_listeners(view):
        if load_balancer.is_application:
            made = listeners.make_listener(view, load_balancer, listener, has_module=paths.has_module)
            found.add(load_balancer, listener, made)
            routes[listener.arn] = listeners.make_routes(view, load_balancer, listener)
        elif network_listeners.has_connections(listener):
            found.add(load_balancer, listener, network_listeners.make_stream_listener(view, load_balancer, listener))
    found.clusters[names.BLOCK] = clusters.make_block_cluster(paths.block)
    return Snapshot(found.listeners, routes, found.clusters, found.endpoints, tls.make_secrets(view))


def make_datagram_snapshot(view: View, paths: Paths) -> Snapshot:
    """Return the configuration of the Envoy of a VPC for datagrams, empty without listeners."""
    found = _Resources(view, paths)
    for load_balancer, listener in _list_listeners(view):
        if network_listeners.has_datagrams(listener):
            found.add(load_balancer, listener, network_listeners.make_datagram_listener(load_balancer, listener))
    return Snapshot(found.listeners, {}, found.clusters, found.endpoints)


def leave_out(snapshot: Snapshot, listeners: Collection[str]) -> Snapshot:
    """Return a snapshot without some listeners. What they forward to stays."""
    kept = {
        name: each
        for name, each in snapshot.listeners.items()
        if name.removesuffix(network_listeners.DATAGRAMS) not in listeners
    }
    routes = {name: each for name, each in snapshot.routes.items() if name not in listeners}
    return replace(snapshot, listeners=kept, routes=routes)


def _list_listeners(view: View) -> Iterator[tuple[LoadBalancer, Listener]]:
    for load_balancer in view.load_balancers:
        if load_balancer.addresses:
            for listener in load_balancer.listeners:
                yield load_balancer, listener


class _Resources:
    """Listeners with the target groups to which they forward."""

    def __init__(self, view: View, paths: Paths) -> None:
        self._view = view
        self._paths = paths
        self.listeners: dict[str, Resource] = {}
        self.clusters: dict[str, Resource] = {}
        self.endpoints: dict[str, Resource] = {}

    def add(self, load_balancer: LoadBalancer, listener: Listener, made: Resource) -> None:
        """Add a listener."""
        self.listeners[made["name"]] = made
        for arn in forwarding.list_listener_groups(listener):
            group = self._view.target_groups.get(arn)
            if group is not None:
                self.clusters[arn] = clusters.make_cluster(load_balancer, group, self._paths.health_events)
                self.endpoints[arn] = clusters.make_endpoints(group, self._paths.block)
