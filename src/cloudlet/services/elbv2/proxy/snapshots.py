"""The whole configuration of an Envoy, made of the view of a VPC."""

from __future__ import annotations

from dataclasses import dataclass

from cloudlet.engines.envoy.snapshot import Snapshot
from cloudlet.services.elbv2.proxy import clusters, forwarding, listeners, names, network_listeners, tls
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, View


@dataclass(frozen=True, slots=True)
class Paths:
    """Files by which Envoy and the block find each other."""

    block: str
    """The socket at which the block answers for functions and identity providers."""
    health_events: str
    """The file to which Envoy writes what health checks have found."""


def make_snapshot(view: View, paths: Paths) -> Snapshot:
    """Return the configuration of the Envoy of a VPC."""
    found_listeners, routes = {}, {}
    used: dict[str, LoadBalancer] = {}
    for load_balancer in view.load_balancers:
        for listener in load_balancer.listeners if load_balancer.addresses or load_balancer.machine_address else ():
            if load_balancer.is_application:
                found_listeners[listener.arn] = listeners.make_listener(view, load_balancer, listener)
                routes[listener.arn] = listeners.make_routes(view, load_balancer, listener)
            else:
                for each in network_listeners.make_listeners(view, load_balancer, listener):
                    found_listeners[each["name"]] = each
            used |= dict.fromkeys(list_groups(listener), load_balancer)
    found = {arn: load_balancer for arn, load_balancer in used.items() if arn in view.target_groups}
    made = {
        arn: clusters.make_cluster(load_balancer, view.target_groups[arn], paths.health_events)
        for arn, load_balancer in found.items()
    }
    return Snapshot(
        listeners=found_listeners,
        routes=routes,
        clusters={**made, names.BLOCK: clusters.make_block_cluster(paths.block)},
        endpoints={arn: clusters.make_endpoints(view.target_groups[arn], paths.block) for arn in found},
        secrets=tls.make_secrets(view),
    )


def list_groups(listener: Listener) -> list[str]:
    """Return the ARNs of the target groups that a listener forwards to."""
    actions = [*listener.description["DefaultActions"], *(each for rule in listener.rules for each in rule["Actions"])]
    return [arn for action in actions if action["Type"] == "forward" for arn, _ in forwarding.list_groups(action)]
