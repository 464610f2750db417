"""Clusters of applications behind their own Envoys, and of virtual nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.engines.envoy.resource_parts import ADS, make_protocol_options, make_socket_address
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.kinds import Spec
from cloudlet.services.appmesh.proxy.durations import to_duration
from cloudlet.services.appmesh.proxy.retries import make_circuit_breakers
from cloudlet.services.appmesh.proxy.tls import HAS_HTTP2, make_client_socket, make_own_socket


def _make_protocol(protocol: str) -> Resource:
    """Return the members of a cluster that say how it speaks."""
    if protocol == "tcp":
        return {}
    options = "http2_protocol_options" if protocol in HAS_HTTP2 else "http_protocol_options"
    return {"typed_extension_protocol_options": make_protocol_options(explicit_http_config={options: {}})}


def make_local_cluster(name: str, address: str, port: int, protocol: str, pool: Mapping[str, Any] | None) -> Resource:
    """Return the cluster of what listens on the Envoy's own machine."""
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": make_assignment(name, [address], port),
        "circuit_breakers": make_circuit_breakers(pool),
        **_make_protocol(protocol),
    }


def make_assignment(name: str, addresses: Sequence[str], port: int) -> Resource:
    """Return the endpoints of a cluster."""
    endpoints = [{"endpoint": {"address": make_socket_address(address, port)}} for address in addresses]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}] if endpoints else []}


def make_node_cluster(name: str, node: Spec, listener: Mapping[str, Any], policy: Mapping[str, Any] | None) -> Resource:
    """Return the cluster of a virtual node's listener, for a client with a policy."""
    made: Resource = {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "circuit_breakers": make_circuit_breakers(None),
        **_make_protocol(listener["portMapping"]["protocol"]),
    }
    if listener.get("healthCheck"):
        made["health_checks"] = [_make_health_check(listener["healthCheck"], listener["portMapping"]["port"])]
        made["ignore_health_on_host_removal"] = True
    if listener.get("outlierDetection"):
        made["outlier_detection"] = _make_outlier_detection(listener["outlierDetection"])
    socket = make_client_socket(policy, listener, list_names(node))
    if socket is not None:
        made["transport_socket"] = socket
    return made


def make_gateway_check(name: str, address: str, listener: Mapping[str, Any]) -> Resource:
    """Return the cluster by which a gateway's Envoy checks its own listener."""
    port, protocol = listener["portMapping"]["port"], listener["portMapping"]["protocol"]
    made = make_local_cluster(name, address, port, protocol, None)
    made["health_checks"] = [_make_health_check(listener["healthCheck"], port)]
    socket = make_own_socket(listener)
    if socket is not None:
        made["transport_socket"] = socket
    return made


def list_names(node: Spec) -> list[str]:
    """Return the names that a node's certificate is to have: those of its service discovery."""
    match node.get("serviceDiscovery"):
        case {"dns": {"hostname": hostname}}:
            return [hostname]
        case {"awsCloudMap": {"serviceName": service, "namespaceName": namespace}}:
            return [f"{service}.{namespace}"]
    return []


def _make_health_check(check: Mapping[str, Any], port: int) -> Resource:
    interval = f"{check['intervalMillis'] / 1000}s"
    made: Resource = {
        "timeout": f"{check['timeoutMillis'] / 1000}s",
        "interval": interval,
        "no_traffic_interval": interval,
        "healthy_threshold": check["healthyThreshold"],
        "unhealthy_threshold": check["unhealthyThreshold"],
    }
    match check["protocol"]:
        case "tcp":
            made["tcp_health_check"] = {}
        case "grpc":
            made["grpc_health_check"] = {}
        case protocol:
            codec = "HTTP2" if protocol == "http2" else "HTTP1"
            made["http_health_check"] = {"path": check["path"], "codec_client_type": codec}
    return made


def _make_outlier_detection(outliers: Mapping[str, Any]) -> Resource:
    return {
        "consecutive_5xx": outliers["maxServerErrors"],
        "interval": to_duration(outliers["interval"]),
        "base_ejection_time": to_duration(outliers["baseEjectionDuration"]),
        "max_ejection_percent": outliers["maxEjectionPercent"],
        "enforcing_consecutive_5xx": 100,
        "enforcing_success_rate": 0,
        "enforcing_consecutive_gateway_failure": 0,
    }


def make_original_cluster(name: str) -> Resource:
    """Return the cluster that leads to where a redirected connection was to go."""
    automatic: Resource = {"http_protocol_options": {}, "http2_protocol_options": {}}
    options = make_protocol_options(use_downstream_protocol_config=automatic)
    return {
        "name": name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": make_circuit_breakers(None),
        "typed_extension_protocol_options": options,
    }
