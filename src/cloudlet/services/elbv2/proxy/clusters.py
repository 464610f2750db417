"""Target groups as Envoy's clusters, and targets as their endpoints."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy.resource_parts import (
    ADS,
    make_extension,
    make_protocol_options,
    make_socket_address,
    make_typed,
)
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import health_checks, names
from cloudlet.services.elbv2.proxy.resources import make_case_keeping
from cloudlet.services.elbv2.proxy.view import Description, LoadBalancer, TargetGroup

_CONNECT_TIMEOUT: Final = "10s"
_UNLIMITED: Final = 1_000_000
_TLS: Final = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_RAW: Final = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
_PROXY: Final = "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport"
_RESPONSE_HEADER_KIB: Final = 32
_SECURE: Final = ("HTTPS", "TLS")


def make_cluster(load_balancer: LoadBalancer, group: TargetGroup, events_path: str) -> Resource:
    """Return the cluster of a target group that a load balancer forwards to."""
    found: Resource = {
        "name": group.arn,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "connect_timeout": _CONNECT_TIMEOUT,
        "circuit_breakers": {"thresholds": [dict.fromkeys(_BREAKERS, _UNLIMITED)]},
        # Where nearly all targets are unhealthy, all get traffic.
        "common_lb_config": {"healthy_panic_threshold": {"value": _find_panic_threshold(group)}},
        "ignore_health_on_host_removal": True,
        **_make_policy(load_balancer, group),
        **_make_transport(group),
    }
    if load_balancer.is_application:
        found["typed_extension_protocol_options"] = _make_options(load_balancer, group)
    if checks := health_checks.make_health_checks(group, events_path):
        found["health_checks"] = checks
    # Targets are asked by the load balancer's own address, which their security groups see.
    if load_balancer.addresses and group.description.get("TargetType") != "lambda":
        found["upstream_bind_config"] = {"source_address": _make_source(load_balancer)}
    return found


_BREAKERS: Final = ("max_connections", "max_pending_requests", "max_requests", "max_retries")


def _make_source(load_balancer: LoadBalancer) -> Resource:
    return {"address": load_balancer.addresses[0], "port_value": 0}


def _find_panic_threshold(group: TargetGroup) -> float:
    prefix = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
    count = group.attributes.get(f"{prefix}.count", "1")
    percentage = group.attributes.get(f"{prefix}.percentage", "off")
    targets = sum(target.draining_until is None for target in group.targets)
    wanted = 100 * int(count) / targets if count != "off" and targets else 0.0
    wanted = max(wanted, float(percentage) if percentage != "off" else 0.0)
    # Envoy panics below the threshold; one percent is never reached by healthy targets.
    return round(min(wanted, 100.0) - 0.1, 1) if wanted > 1 else 1.0


def _make_policy(load_balancer: LoadBalancer, group: TargetGroup) -> Resource:
    if not load_balancer.is_application:
        return {"lb_policy": "MAGLEV"}
    match group.attributes.get("load_balancing.algorithm.type", "round_robin"):
        case "least_outstanding_requests":
            typed = make_typed(
                "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest", selection_method="FULL_SCAN"
            )
            policy = {"typed_extension_config": {"name": "least_request", "typed_config": typed}}
            return {"load_balancing_policy": {"policies": [policy]}}
        case "weighted_random":
            return {"lb_policy": "RANDOM"}
    slow = int(group.attributes.get("slow_start.duration_seconds", "0"))
    config = {"slow_start_config": {"slow_start_window": f"{slow}s", "min_weight_percent": {"value": 10}}}
    return {"lb_policy": "ROUND_ROBIN", **({"round_robin_lb_config": config} if slow else {})}


def _make_transport(group: TargetGroup) -> Resource:
    """Return how connections to targets are encrypted. Certificates of targets are not verified, as on AWS."""
    description = group.description
    protocol = description.get("Protocol", "HTTP")
    socket = _make_socket(description, is_secure=protocol in _SECURE)
    if group.attributes.get("proxy_protocol_v2.enabled") == "true":
        config = {"version": "V2"}
        socket = make_extension("proxy", _PROXY, config=config, transport_socket=socket)
    check = description.get("HealthCheckProtocol", protocol)
    found: Resource = {"transport_socket": socket}
    is_other = check in ("HTTP", "HTTPS") and (check == "HTTPS") != (protocol in _SECURE)
    is_by_block = health_checks.is_by_block(group)
    if is_other or is_by_block:
        own = _make_socket(description, is_secure=check == "HTTPS" and not is_by_block)
        found = {
            "transport_socket_matches": [{"name": "check", "match": {"check": check}, "transport_socket": own}],
            **found,
        }
    return found


def _make_socket(description: Description, *, is_secure: bool) -> Resource:
    if not is_secure:
        return make_extension("raw", _RAW)
    protocols = ["h2"] if description.get("ProtocolVersion", "HTTP1") != "HTTP1" else []
    return make_extension("tls", _TLS, common_tls_context={"alpn_protocols": protocols})


def _make_options(load_balancer: LoadBalancer, group: TargetGroup) -> Resource:
    idle = load_balancer.attributes.get("idle_timeout.timeout_seconds", "60")
    is_modern = group.description.get("ProtocolVersion", "HTTP1") != "HTTP1"
    return make_protocol_options(
        explicit_http_config=(
            {"http2_protocol_options": {}}
            if is_modern
            else {"http_protocol_options": {"header_key_format": make_case_keeping()}}
        ),
        common_http_protocol_options={
            "idle_timeout": f"{idle}s",
            "max_response_headers_kb": _RESPONSE_HEADER_KIB,
            "max_headers_count": 1000,
        },
    )


def make_endpoints(group: TargetGroup, block_path: str) -> Resource:
    """Return the endpoints of a target group: its targets, but those that are being deregistered."""
    if group.description.get("TargetType") == "lambda":
        hosts = [_make_block_host(block_path)] if group.targets else []
    else:
        hosts = [
            {
                "endpoint": {
                    "address": make_socket_address(target.address, target.port),
                    "health_check_config": health_checks.make_endpoint_check(group, target, block_path),
                }
            }
            for target in group.targets
            if target.address and target.draining_until is None
        ]
    return {"cluster_name": group.arn, "endpoints": [{"lb_endpoints": hosts}] if hosts else []}


def _make_block_host(path: str) -> Resource:
    return {"endpoint": {"address": {"pipe": {"path": path}}, "health_check_config": {"hostname": names.BLOCK}}}


def make_block_cluster(path: str) -> Resource:
    """Return the cluster of this block itself."""
    endpoints = [{"lb_endpoints": [_make_block_host(path)]}]
    return {
        "name": names.BLOCK,
        "type": "STATIC",
        "connect_timeout": _CONNECT_TIMEOUT,
        "load_assignment": {"cluster_name": names.BLOCK, "endpoints": endpoints},
    }
