"""Listeners of a task's proxy of Service Connect, their timeouts and access logs.

Developer guide, "Amazon ECS Service Connect components" and "Amazon ECS Service Connect access logs".
"""

from __future__ import annotations

from typing import Any, Final

from cloudlet.engines.envoy.resource_parts import make_extension, make_socket_address
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.ecs.connect_record import AccessLog, ConnectPort

_TYPES: Final = "envoy.extensions"
_MANAGER: Final = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_REQUEST_SECONDS: Final = 15
_IDLE_SECONDS: Final = 300
_TCP_IDLE_SECONDS: Final = 3600
_TEST_HEADER: Final = "x-amzn-ecs-blue-green-test"
_UNREACHED: Final = "x-ecs-unreached"
"""The header of an answer that tells another proxy that no program got the request.

It is safe to repeat then.
"""
_RETRIES: Final = "connect-failure,refused-stream,reset-before-request"
_STREAMED: Final = ("http2", "grpc")


def make_name(kind: str, port: ConnectPort) -> str:
    """Return the name of a cluster, and of statistics.

    Its kind is `out`, `test` or `in`.
    """
    return f"{kind}.{port.discovery_name}"


def make_outbound(name: str, address: str, number: int, port: ConnectPort, log: AccessLog | None) -> Resource:
    """Return the listener for what a task sends to an endpoint."""
    if not port.protocol:
        return _make_listener(name, address, number, _make_tcp_filter("out", port, log))
    again = [{"name": _UNREACHED, "present_match": True}]
    previous = make_extension(
        "envoy.retry_host_predicates.previous_hosts",
        f"{_TYPES}.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    )
    retries = {
        "retry_on": f"{_RETRIES},retriable-headers",
        "retriable_headers": again,
        "num_retries": 2,
        "retry_host_predicate": [previous],
        "host_selection_retry_max_attempts": 3,
    }
    value = {"string_match": {"exact": port.test_value}} if port.test_value else {"present_match": True}
    test = {"prefix": "/", "headers": [{"name": port.test_header or _TEST_HEADER, **value}]}
    routes = [
        {"match": match, "route": _make_route(make_name(kind, port), port, retries)}
        for kind, match in (("test", test), ("out", {"prefix": "/"}))
    ]
    hosts = {"routes": routes, "response_headers_to_remove": [_UNREACHED]}
    return _make_listener(name, address, number, _make_http_filter("out", port, log, hosts))


def make_inbound(name: str, address: str, number: int, port: ConnectPort, log: AccessLog | None) -> Resource:
    """Return the listener for what comes to a port of a task."""
    if not port.protocol:
        return _make_listener(name, address, number, _make_tcp_filter("in", port, log))
    retries = {"retry_on": _RETRIES, "num_retries": 2}
    hosts = {"routes": [{"match": {"prefix": "/"}, "route": _make_route(make_name("in", port), port, retries)}]}
    unreached = {
        "filter": {"response_flag_filter": {"flags": ["UF"]}},
        "headers_to_add": [{"header": {"key": _UNREACHED, "value": "1"}}],
    }
    more = {"local_reply_config": {"mappers": [unreached]}}
    return _make_listener(name, address, number, _make_http_filter("in", port, log, hosts, **more))


def _make_listener(name: str, address: str, number: int, taking: Resource) -> Resource:
    return {
        "name": name,
        "address": make_socket_address(address, number),
        "filter_chains": [{"filters": [taking]}],
    }


def _make_route(cluster: str, port: ConnectPort, retries: Resource) -> Resource:
    return {
        "cluster": cluster,
        "timeout": _format_seconds(port.request_seconds, _REQUEST_SECONDS),
        "retry_policy": retries,
    }


def _format_seconds(given: int | None, default: int) -> str:
    """Return a duration; 0 is none at all."""
    return f"{default if given is None else given}s"


def _make_http_filter(
    kind: str, port: ConnectPort, log: AccessLog | None, hosts: dict[str, Any], **more: Any
) -> Resource:
    idle = _format_seconds(port.idle_seconds, _IDLE_SECONDS)
    return make_extension(
        "envoy.filters.network.http_connection_manager",
        _MANAGER,
        stat_prefix=make_name(kind, port),
        codec_type="AUTO",
        common_http_protocol_options={"idle_timeout": idle},
        stream_idle_timeout=idle,
        upgrade_configs=[{"upgrade_type": "websocket"}],
        route_config={"name": "all", "virtual_hosts": [{"name": "all", "domains": ["*"], **hosts}]},
        http_filters=[make_extension("envoy.filters.http.router", f"{_TYPES}.filters.http.router.v3.Router")],
        access_log=_make_access_log(port, log),
        **more,
    )


def _make_tcp_filter(kind: str, port: ConnectPort, log: AccessLog | None) -> Resource:
    name = make_name(kind, port)
    # A task that has just been started may not listen yet.
    pauses = {"max_connect_attempts": 8, "backoff_options": {"base_interval": "0.05s", "max_interval": "1s"}}
    return make_extension(
        "envoy.filters.network.tcp_proxy",
        f"{_TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=name,
        cluster=name,
        idle_timeout=_format_seconds(port.idle_seconds, _TCP_IDLE_SECONDS),
        access_log=_make_access_log(port, log),
        **(pauses if kind == "in" else {"max_connect_attempts": 3}),
    )


def _make_access_log(port: ConnectPort, log: AccessLog | None) -> list[Resource]:
    if log is None:
        return []
    fields = list_fields(port.protocol, has_queries=log.has_queries)
    if log.format == "JSON":
        written: dict[str, Any] = {"json_format": {name: value.strip('"[]') for name, value in fields.items()}}
    else:
        written = {"text_format_source": {"inline_string": _format_text(fields)}}
    kind = f"{_TYPES}.access_loggers.stream.v3.StdoutAccessLog"
    return [make_extension("envoy.access_loggers.stdout", kind, log_format=written)]


def list_fields(protocol: str, *, has_queries: bool) -> dict[str, str]:
    """Return the fields of an access log, in the order of text, with its quotes."""
    if not protocol:
        return {
            "start_time": "[%START_TIME%]",
            "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
            "downstream_remote_port": "%DOWNSTREAM_REMOTE_PORT%",
            "bytes_received": "%BYTES_RECEIVED%",
            "bytes_sent": "%BYTES_SENT%",
            "duration": "%DURATION%",
            "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
            "connection_id": "%CONNECTION_ID%",
        }
    return {
        "start_time": "[%START_TIME%]",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%" if has_queries else "%PATH(NQ)%",
        "protocol": "%PROTOCOL%",
        "response_code": "%RESPONSE_CODE%",
        **({"grpc_status": "%GRPC_STATUS()%"} if protocol == "grpc" else {}),
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "duration" if protocol in _STREAMED else "duration_ms": "%DURATION%",
        "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
        "forwarded_for": '"%REQ(X-FORWARDED-FOR)%"',
        "user_agent": '"%REQ(USER-AGENT)%"',
        "request_id": '"%REQ(X-REQUEST-ID)%"',
        "authority": '"%REQ(:AUTHORITY)%"',
        "upstream_host": '"%UPSTREAM_HOST%"',
        **({"stream_id": '"%STREAM_ID%"'} if protocol in _STREAMED else {}),
    }


def _format_text(fields: dict[str, str]) -> str:
    """Return a line of text. The first line of a request is one part of it."""
    line = " ".join(fields.values())
    if "method" in fields:
        first = " ".join(fields[name] for name in ("method", "path", "protocol"))
        line = line.replace(first, f'"{first}"')
    return f"{line}\n"
