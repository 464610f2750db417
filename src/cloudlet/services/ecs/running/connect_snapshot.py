"""The configuration of a task's proxy of Service Connect.

Developer guide, "Amazon ECS Service Connect components": round robin, outlier detection by connections that fail, two
retries, and timeouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from cloudlet.engines.envoy.resource_parts import ADS, HTTP2, make_socket_address
from cloudlet.engines.envoy.snapshot import Resource, Snapshot
from cloudlet.services.ecs.connect_record import ConnectEndpoint, ConnectPort, TaskConnect
from cloudlet.services.ecs.connect_targets import Destination, Target
from cloudlet.services.ecs.running.connect_listeners import make_inbound, make_name, make_outbound

_TABLE: Final = "connect"
_LOOPBACK: Final = "127.0.0.1"
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - of the task's own network
_FIRST_INGRESS_PORT: Final = 15_000
_FIRST_PORT: Final = 15_100
"""The port of the first endpoint; the others follow."""
_NO_LIMITS: Final = {
    "thresholds": [dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), 1_000_000)]
}
"""The circuit breakers of a cluster. Envoy's own would take three retries at once, and a thousand requests."""
_HTTP2_PROTOCOLS: Final = ("http2", "grpc")
Destinations = Mapping[str, Destination]
"""The tasks behind discovery names."""


def make_snapshot(connect: TaskConnect, destinations: Destinations) -> Snapshot:
    """Return the configuration by which a task reaches its endpoints, and is reached."""
    endpoints = [_renew(each, destinations) for each in connect.endpoints]
    ports = {each.port.discovery_name: each.port for each in endpoints}
    clusters, assignments = {}, {}
    for discovery, port in ports.items():
        found = destinations.get(discovery)
        for kind, targets in (("out", found.production if found else ()), ("test", found.test if found else ())):
            if kind == "out" or port.protocol:
                name = make_name(kind, port)
                clusters[name] = _make_cluster(name, port)
                assignments[name] = _make_targets(name, targets)
    listeners = {}
    for number, endpoint in enumerate(endpoints):
        name = f"{endpoint.address}:{endpoint.port.port}"
        at = _LOOPBACK, _FIRST_PORT + number
        listeners[name] = make_outbound(name, *at, endpoint.port, connect.access_log)
    for number, (entry, port) in enumerate(connect.entries.items()):
        name = f"in:{entry}"
        at = _EVERYWHERE, _FIRST_INGRESS_PORT + number
        listeners[name] = make_inbound(name, *at, port, connect.access_log)
        clusters[make_name("in", port)] = _make_own_cluster(port)
    return Snapshot(listeners=listeners, clusters=clusters, endpoints=assignments)


def _renew(endpoint: ConnectEndpoint, destinations: Destinations) -> ConnectEndpoint:
    """Return an endpoint, whose name and port stay, with what its service wants by now."""
    found = destinations.get(endpoint.port.discovery_name)
    if found is None:
        return endpoint
    port = replace(found.port, dns_name=endpoint.port.dns_name, port=endpoint.port.port)
    return replace(endpoint, port=port)


def write_rules(connect: TaskConnect) -> str:
    """Return the packet filters that lead to a task's proxy.

    They take what is for its endpoints, and what comes to its ports.

    A program of the task may listen at the same port of all its addresses, which the proxy does not take. What the
    proxy sends to programs over loopback is led nowhere else.
    """
    table = f"table ip {_TABLE}"
    outgoing = [
        f"ip daddr {each.address} tcp dport {each.port.port} dnat to {_LOOPBACK}:{_FIRST_PORT + number}"
        for number, each in enumerate(connect.endpoints)
    ]
    incoming = [
        f"tcp dport {entry} redirect to :{_FIRST_INGRESS_PORT + number}" for number, entry in enumerate(connect.entries)
    ]
    chains = "\n".join(
        "\n".join([f"chain {name} {{", f"type nat hook {hook} priority -100", *rules, "}"])
        for name, hook, rules in (("out", "output", outgoing), ("before", "prerouting", incoming))
    )
    return f"{table}\ndelete {table}\n{table} {{\n{chains}\n}}\n"


def _make_cluster(name: str, port: ConnectPort) -> Resource:
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "connect_timeout": "1s",
        "circuit_breakers": _NO_LIMITS,
        "lb_policy": "ROUND_ROBIN",
        # Five connections that fail keep a task out for 30 to 300 seconds; what it answers does not count.
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 5,
            "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_consecutive_5xx": 0,
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            "interval": "30s",
            "base_ejection_time": "30s",
            "max_ejection_time": "300s",
            "max_ejection_percent": 50,
        },
        **_make_options(port),
    }


def _make_own_cluster(port: ConnectPort) -> Resource:
    """Return the cluster of a task's own programs."""
    name = make_name("in", port)
    endpoint = {"endpoint": {"address": make_socket_address(_LOOPBACK, port.container_port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": _NO_LIMITS,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        **_make_options(port),
    }


def _make_options(port: ConnectPort) -> Resource:
    return {"typed_extension_protocol_options": HTTP2} if port.protocol in _HTTP2_PROTOCOLS else {}


def _make_targets(name: str, targets: Sequence[Target]) -> Resource:
    endpoints = [
        {
            "endpoint": {"address": make_socket_address(each.address, each.port)},
            "load_balancing_weight": each.weight,
        }
        for each in sorted(targets)
    ]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}] if endpoints else []}
