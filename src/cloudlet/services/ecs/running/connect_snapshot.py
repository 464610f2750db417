"""The configuration of a task's proxy of Service Connect.

Developer guide, "Amazon ECS Service Connect components": round robin, outlier detection by connections that fail, two
retries, and timeouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cloudlet.engines.envoy.resource_parts import ADS, HTTP2, make_extension, make_socket_address
from cloudlet.engines.envoy.snapshot import Resource, Snapshot
from cloudlet.services.ecs.connect_record import ConnectEndpoint, ConnectPort, TaskConnect

_TYPES: Final = "envoy.extensions"
_TABLE: Final = "connect"
_LOOPBACK: Final = "127.0.0.1"
_FIRST_PORT: Final = 15_100
"""The port of the first endpoint; the others follow."""
_REQUEST_SECONDS: Final = 15
_IDLE_SECONDS: Final = 300
_TCP_IDLE_SECONDS: Final = 3600
Targets = Mapping[str, Sequence[tuple[str, int]]]
"""The addresses and ports of tasks, by the discovery names of their services."""


def make_snapshot(connect: TaskConnect, targets: Targets) -> Snapshot:
    """Return the configuration by which a task reaches its endpoints."""
    ports = {each.port.discovery_name: each.port for each in connect.endpoints}
    return Snapshot(
        listeners={_make_name(each): _make_listener(each, number) for number, each in enumerate(connect.endpoints)},
        clusters={name: _make_cluster(port) for name, port in ports.items()},
        endpoints={name: _make_targets(name, targets.get(name, ())) for name in ports},
    )


def write_rules(connect: TaskConnect) -> str:
    """Return the packet filters that lead from the endpoints of a task to its proxy.

    A program of the task may listen at the same port of all its addresses, which the proxy does not take.
    """
    table = f"table ip {_TABLE}"
    rules = [
        f"ip daddr {each.address} tcp dport {each.port.port} dnat to {_LOOPBACK}:{_FIRST_PORT + number}"
        for number, each in enumerate(connect.endpoints)
    ]
    chain = "\n".join(["type nat hook output priority -100", *rules])
    return f"{table}\ndelete {table}\n{table} {{\nchain out {{\n{chain}\n}}\n}}\n"


def _make_name(endpoint: ConnectEndpoint) -> str:
    return f"{endpoint.address}:{endpoint.port.port}"


def _make_listener(endpoint: ConnectEndpoint, number: int) -> Resource:
    port = endpoint.port
    make = _make_http_filter if port.protocol else _make_tcp_filter
    return {
        "name": _make_name(endpoint),
        "address": make_socket_address(_LOOPBACK, _FIRST_PORT + number),
        "filter_chains": [{"filters": [make(port)]}],
    }


def _format_seconds(given: int | None, default: int) -> str:
    """Return a duration; 0 is none at all."""
    return f"{default if given is None else given}s"


def _make_http_filter(port: ConnectPort) -> Resource:
    retries = {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 2,
        "retry_host_predicate": [
            make_extension(
                "envoy.retry_host_predicates.previous_hosts",
                f"{_TYPES}.retry.host.previous_hosts.v3.PreviousHostsPredicate",
            )
        ],
        "host_selection_retry_max_attempts": 3,
    }
    route = {
        "cluster": port.discovery_name,
        "timeout": _format_seconds(port.request_seconds, _REQUEST_SECONDS),
        "retry_policy": retries,
    }
    everything = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
    return make_extension(
        "envoy.filters.network.http_connection_manager",
        f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=port.discovery_name,
        codec_type="AUTO",
        stream_idle_timeout=_format_seconds(port.idle_seconds, _IDLE_SECONDS),
        upgrade_configs=[{"upgrade_type": "websocket"}],
        route_config={"name": port.discovery_name, "virtual_hosts": [everything]},
        http_filters=[make_extension("envoy.filters.http.router", f"{_TYPES}.filters.http.router.v3.Router")],
    )


def _make_tcp_filter(port: ConnectPort) -> Resource:
    return make_extension(
        "envoy.filters.network.tcp_proxy",
        f"{_TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=port.discovery_name,
        cluster=port.discovery_name,
        idle_timeout=_format_seconds(port.idle_seconds, _TCP_IDLE_SECONDS),
        max_connect_attempts=3,
    )


def _make_cluster(port: ConnectPort) -> Resource:
    is_http2 = port.protocol in ("http2", "grpc")
    return {
        "name": port.discovery_name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "connect_timeout": "1s",
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
        **({"typed_extension_protocol_options": HTTP2} if is_http2 else {}),
    }


def _make_targets(name: str, targets: Sequence[tuple[str, int]]) -> Resource:
    endpoints = [{"endpoint": {"address": make_socket_address(*each)}} for each in sorted(targets)]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}] if endpoints else []}
