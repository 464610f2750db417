"""Configurations of Envoys: a listener that leads to a target."""

from __future__ import annotations

from typing import Any

from cloudlet.engines.envoy.snapshot import Snapshot

_TYPES = "type.googleapis.com/envoy.extensions"
_BY_STREAM = {"ads": {}, "resource_api_version": "V3"}
LOG_NAME = "requests"


def make_snapshot(
    addresses: list[str],
    port: int,
    target: tuple[str, int],
    *,
    answer: str = "fixed",
    cluster: str = "targets",
    source: str = "",
    script: str = "",
) -> Snapshot:
    """Return what an Envoy needs to lead to a target: /fixed it answers itself."""
    return Snapshot(
        listeners={"front": _make_listener(addresses, port, script)},
        routes={"routes": _make_routes(answer, cluster)},
        clusters={cluster: _make_cluster(cluster, source)},
        endpoints={cluster: _make_endpoints(cluster, target)},
    )


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _make_listener(addresses: list[str], port: int, script: str) -> dict[str, Any]:
    filters: list[dict[str, Any]] = [
        {"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}
    ]
    if script:
        lua = {"@type": f"{_TYPES}.filters.http.lua.v3.Lua", "default_source_code": {"inline_string": script}}
        filters.insert(0, {"name": "lua", "typed_config": lua})
    service = {"envoy_grpc": {"cluster_name": "configuration"}}
    log = {"log_name": LOG_NAME, "transport_api_version": "V3", "buffer_flush_interval": "0.1s"}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "rds": {"route_config_name": "routes", "config_source": _BY_STREAM},
        "http_filters": filters,
        "access_log": [
            {
                "name": "log",
                "typed_config": {
                    "@type": f"{_TYPES}.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
                    "common_config": {**log, "grpc_service": service},
                },
            }
        ],
    }
    return {
        "name": "front",
        "address": _address(addresses[0], port),
        "additional_addresses": [{"address": _address(each, port)} for each in addresses[1:]],
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }


def _make_routes(answer: str, cluster: str) -> dict[str, Any]:
    fixed = {"match": {"prefix": "/fixed"}, "direct_response": {"status": 200, "body": {"inline_string": answer}}}
    led = {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}
    return {"name": "routes", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [fixed, led]}]}


def _make_cluster(name: str, source: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "type": "EDS",
        "connect_timeout": "2s",
        "eds_cluster_config": {"eds_config": _BY_STREAM},
    }
    if source:
        made["upstream_bind_config"] = {"source_address": {"address": source, "port_value": 0}}
    return made


def _make_endpoints(name: str, target: tuple[str, int]) -> dict[str, Any]:
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(*target)}}]}],
    }
