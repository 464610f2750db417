"""Filters of listeners: HTTP with its log and tracing, and TCP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.engines.envoy.resource_parts import ADS, make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.kinds import Spec
from cloudlet.services.appmesh.proxy.durations import to_duration

ORIGINAL_DESTINATION: Final = make_extension(
    "envoy.filters.listener.original_dst", "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"
)
TLS_INSPECTOR: Final = make_extension(
    "envoy.filters.listener.tls_inspector", "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
)
_ROUTER: Final = make_extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
_HTTP: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def make_http_filter(stat: str, routes: str, spec: Spec, protocol: str = "http", *, is_edge: bool = False) -> Resource:
    """Return the filter of HTTP, whose routes have a name.

    `is_edge` is for clients outside the mesh, whose addresses are told in X-Forwarded-For.
    """
    return make_extension(
        "envoy.filters.network.http_connection_manager",
        _HTTP,
        stat_prefix=stat,
        codec_type="HTTP2" if protocol in ("http2", "grpc") else "AUTO",
        rds={"config_source": ADS, "route_config_name": routes},
        http_filters=[_ROUTER],
        access_log=make_access_log(spec),
        tracing={},
        stream_idle_timeout="0s",
        use_remote_address=is_edge,
        upgrade_configs=[{"upgrade_type": "websocket"}],
    )


def make_tcp_filter(
    stat: str, clusters: Sequence[tuple[str, int]], timeout: Mapping[str, Any] | None, spec: Spec
) -> Resource:
    """Return the filter that passes connections on to clusters by weights."""
    targets: Resource = {"cluster": clusters[0][0]}
    if len(clusters) > 1:
        targets = {"weighted_clusters": {"clusters": [{"name": name, "weight": weight} for name, weight in clusters]}}
    idle = (timeout or {}).get("idle")
    return make_extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=stat,
        idle_timeout=to_duration(idle) if idle else "0s",
        access_log=make_access_log(spec),
        **targets,
    )


def make_access_log(spec: Spec) -> list[Resource]:
    """Return the log of requests that a node or gateway writes to a file."""
    file = ((spec.get("logging") or {}).get("accessLog") or {}).get("file")
    if file is None:
        return []
    members: Resource = {"path": file["path"]}
    match file.get("format"):
        case {"json": pairs}:
            members["log_format"] = {"json_format": {each["key"]: each["value"] for each in pairs}}
        case {"text": text}:
            members["log_format"] = {"text_format_source": {"inline_string": text}}
    return [
        make_extension("envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog", **members)
    ]
