"""Lines of the access log of an Application Load Balancer (user guide, "Access log entries")."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.services.elbv2.proxy import log_entries, names, request_checks
from cloudlet.services.elbv2.proxy.log_entries import NOTHING
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, View

_HTTP_2: Final = 3
_SWITCHING: Final = 101
CLIENT_CLOSED: Final = 460
"""The status of a request whose client has left before its response."""
_PROTOCOLS: Final = {1: "HTTP/1.0", 2: "HTTP/1.1", 3: "HTTP/2.0"}
_NOT_MEASURED: Final = "-1"


def get_status(entry: Any) -> int:
    """Return the status of the load balancer's response."""
    return int(entry.response.response_code.value) or CLIENT_CLOSED


def find_target_status(entry: Any) -> int | None:
    """Return the status of the target's response; None where there was none."""
    is_own = entry.response.response_code_details == log_entries.VIA_TARGET
    return int(entry.response.response_code.value) if is_own else None


def format_line(view: View, load_balancer: LoadBalancer, listener: Listener, entry: Any, reason: str = "") -> str:
    """Return the line of a request. It may have failed for a reason that the block knows."""
    common, request = entry.common_properties, entry.request
    is_secure = listener.description["Protocol"] == "HTTPS"
    group = view.target_groups.get(common.upstream_cluster)
    is_function = group is not None and group.description.get("TargetType") == "lambda"
    is_grpc = group is not None and group.description.get("ProtocolVersion") == "GRPC"
    target = NOTHING if is_function else log_entries.format_address(common.upstream_remote_address)
    target_status = find_target_status(entry)
    target_code = NOTHING if target_status is None else str(target_status)
    tags = dict(common.custom_tags)
    sni = common.tls_properties.tls_sni_hostname
    fields = [
        _find_type(entry, is_secure=is_secure, is_grpc=is_grpc),
        log_entries.format_time(log_entries.get_end(common)),
        get_resource_id(load_balancer.arn),
        log_entries.format_address(common.downstream_direct_remote_address),
        target,
        *_measure_times(common),
        str(get_status(entry)),
        target_code,
        str(common.downstream_wire_bytes_received),
        str(common.downstream_wire_bytes_sent),
        _quote(_format_request(listener, entry)),
        _quote(request.user_agent),
        log_entries.find_cipher(common) if is_secure else NOTHING,
        log_entries.find_version(common) if is_secure else NOTHING,
        group.arn if group is not None else NOTHING,
        _quote(request.request_headers.get("x-amzn-trace-id", "")),
        _quote(sni if is_secure else ""),
        _quote(log_entries.find_certificate(view, listener, common) if is_secure else ""),
        tags.get("rule", NOTHING),
        log_entries.format_time(log_entries.get_start(common)),
        _quote(tags.get("actions", "")),
        _quote(entry.response.response_headers.get("location", "") if tags.get("actions") == "redirect" else ""),
        _quote(reason),
        _quote(target),
        _quote(target_code),
        *map(_quote, request_checks.classify(entry)),
        log_entries.make_connection_id(common),
        *map(_quote, _list_transforms(entry)),
    ]
    return " ".join(fields)


def get_resource_id(arn: str) -> str:
    """Return the resource ID of a load balancer or target group, such as app/name/id."""
    return arn.rpartition(":")[2].removeprefix("loadbalancer/")


def _find_type(entry: Any, *, is_secure: bool, is_grpc: bool) -> str:
    if entry.response.response_code.value == _SWITCHING:
        return "wss" if is_secure else "ws"
    if entry.protocol_version == _HTTP_2:
        return "grpcs" if is_grpc else "h2"
    return "https" if is_secure else "http"


def _measure_times(common: Any) -> list[str]:
    """Return the times of the request, the target and the response."""
    sent, last_sent, answered, passed = (
        log_entries.measure_seconds(each)
        for each in (
            common.time_to_first_upstream_tx_byte,
            common.time_to_last_upstream_tx_byte,
            common.time_to_first_upstream_rx_byte,
            common.time_to_first_downstream_tx_byte,
        )
    )
    if sent is None or answered is None or passed is None:
        return [_NOT_MEASURED] * 3
    between = answered - (sent if last_sent is None else last_sent)
    return [f"{max(each, 0):.3f}" for each in (sent, between, passed - answered)]


def measure_target_time(common: Any) -> float | None:
    """Return how many seconds a target has taken until it answered."""
    sent = log_entries.measure_seconds(common.time_to_last_upstream_tx_byte)
    answered = log_entries.measure_seconds(common.time_to_first_upstream_rx_byte)
    return None if sent is None or answered is None else max(answered - sent, 0.0)


def _format_request(listener: Listener, entry: Any) -> str:
    request = entry.request
    if not request.path:
        return "- - -"
    tags = entry.common_properties.custom_tags
    authority = tags.get(names.SENT_HOST) or request.authority
    host = _strip_port(authority)
    port, protocol = listener.description["Port"], listener.description["Protocol"].lower()
    method = _METHODS[request.request_method] if request.request_method < len(_METHODS) else NOTHING
    path = tags.get(names.SENT_URL) or request.path
    return f"{method} {protocol}://{host}:{port}{path} {_PROTOCOLS.get(entry.protocol_version, NOTHING)}"


def _list_transforms(entry: Any) -> tuple[str, str, str]:
    """Return the host and the URL that transforms have changed, and their status."""
    request, tags = entry.request, entry.common_properties.custom_tags
    if names.SENT_URL not in tags:
        return NOTHING, NOTHING, NOTHING
    hosts = [_strip_port(each) for each in (tags[names.SENT_HOST], request.authority)]
    host = hosts[1] if hosts[0] != hosts[1] else NOTHING
    url = request.path if request.path != tags[names.SENT_URL] else NOTHING
    return host, url, "TransformSuccess"


_METHODS: Final = (NOTHING, "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


def _strip_port(authority: str) -> str:
    host, _, port = authority.rpartition(":")
    return host if host and port.isdigit() else authority


def _quote(text: str) -> str:
    escaped = "".join(each if " " <= each <= "~" and each not in '"\\' else _escape(each) for each in text)
    return f'"{escaped or NOTHING}"'


def _escape(character: str) -> str:
    return "".join(f"\\x{each:02X}" for each in character.encode())
