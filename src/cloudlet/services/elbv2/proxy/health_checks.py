"""Health checks of target groups, as Envoy makes them."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.resources import make_header
from cloudlet.services.elbv2.proxy.view import Target, TargetGroup

AGENT: Final = "ELB-HealthChecker/2.0"
_BY_HTTP: Final = ("HTTP", "HTTPS")
_DEFAULT_CODES: Final = "200"
GRPC_PATH: Final = "/AWS.ALB/healthcheck"
_FIRST_GRPC_STATUS: Final = 900
"""The status of HTTP by which the block tells status 0 of a call."""
_STARTING_INTERVAL: Final = "1s"
_SINK: Final = "envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink"


def is_checked(group: TargetGroup) -> bool:
    """Whether a group has health checks."""
    return group.description.get("HealthCheckEnabled") is not False


def is_by_call(group: TargetGroup) -> bool:
    """Whether targets are checked by calls of gRPC."""
    return group.description.get("ProtocolVersion") == "GRPC"


def is_by_block(group: TargetGroup) -> bool:
    """Whether the block itself looks at targets: by gRPC, or at ports of this machine."""
    description = group.description
    return is_by_call(group) or (
        description.get("TargetType") == "instance" and description.get("HealthCheckProtocol") not in _BY_HTTP
    )


def find_patience(group: TargetGroup) -> float:
    """Return for how many seconds a new target may fail before it is unhealthy.

    It takes several checks, as on AWS. Envoy looks more often at new targets than at others, so that those that are
    ready need not wait.
    """
    description = group.description
    checks = description.get("UnhealthyThresholdCount", 2) - 1
    return float(checks * description.get("HealthCheckIntervalSeconds", 30))


def make_health_checks(group: TargetGroup, events_path: str) -> list[Resource]:
    """Return the health checks of a target group; their events are written to a file."""
    description = group.description
    if not is_checked(group):
        return []
    interval = f"{description.get('HealthCheckIntervalSeconds', 30)}s"
    check: Resource = {
        "timeout": f"{description.get('HealthCheckTimeoutSeconds', 5)}s",
        "interval": interval,
        # A target that is about to become healthy need not be waited for.
        **dict.fromkeys(("unhealthy_interval", "healthy_edge_interval", "no_traffic_interval"), _STARTING_INTERVAL),
        "unhealthy_edge_interval": interval,
        # Envoy would look seldom at targets without traffic.
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": description.get("HealthyThresholdCount", 5),
        "unhealthy_threshold": description.get("UnhealthyThresholdCount", 2),
        "event_logger": [make_extension("file", _SINK, event_log_path=events_path)],
        "always_log_health_check_failures": True,
        **_make_probe(group),
    }
    return [check]


def _make_probe(group: TargetGroup) -> Resource:
    description = group.description
    protocol = description.get("HealthCheckProtocol", "HTTP")
    if is_by_block(group):
        asked = {"path": "/", "request_headers_to_add": [make_header(names.TARGET_GROUP, group.arn)]}
        return {"http_health_check": asked, "transport_socket_match_criteria": {"check": protocol}}
    if protocol not in _BY_HTTP:
        return {"tcp_health_check": {}}
    version = description.get("ProtocolVersion", "HTTP1")
    codes = (description.get("Matcher") or {}).get("HttpCode") or _DEFAULT_CODES
    added = [make_header("user-agent", AGENT)]
    if description.get("TargetType") == "lambda":
        added.append(make_header(names.TARGET_GROUP, group.arn))
    probe = {
        "path": description.get("HealthCheckPath") or "/",
        "method": "GET",
        "codec_client_type": "HTTP2" if version == "HTTP2" else "HTTP1",
        "expected_statuses": parse_codes(codes),
        "request_headers_to_add": added,
        "request_headers_to_remove": ["x-envoy-expected-rq-timeout-ms"],
    }
    # The transport socket of the group's own traffic is used, unless another one matches.
    return {"http_health_check": probe, "transport_socket_match_criteria": {"check": protocol}}


def parse_codes(text: str) -> list[Resource]:
    """Return ranges of codes, such as `200,301-304`."""
    ranges = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        ranges.append({"start": int(first), "end": int(last or first) + 1})
    return ranges


def make_status(status: int) -> int:
    """Return the status of HTTP that tells one of gRPC."""
    return _FIRST_GRPC_STATUS + status


def parse_status(status: int) -> int:
    """Return the status of HTTP or gRPC that a check has got."""
    return status - _FIRST_GRPC_STATUS if status >= _FIRST_GRPC_STATUS else status


def make_endpoint_check(group: TargetGroup, target: Target, block_path: str) -> Resource:
    """Return where a target is checked."""
    port = group.description.get("HealthCheckPort") or "traffic-port"
    checked = target.port if port == "traffic-port" else int(port)
    found: Resource = {"hostname": f"{target.address}:{checked}"}
    if is_by_block(group):
        return {**found, "address": {"pipe": {"path": block_path}}}
    return found if checked == target.port else {**found, "port_value": checked}
