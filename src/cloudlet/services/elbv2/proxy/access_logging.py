"""Access logs of requests and connections that Envoy sends to the block."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import log_files, names, request_checks
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer

_HTTP: Final = "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"
_TCP: Final = "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig"
CONNECTIONS: Final = " connections"
"""The end of the name of a log of connections."""
_TAGS: Final = {"rule": "route", "actions": "route", names.SENT_URL: "request", names.SENT_HOST: "request"}
"""Tags of routes, and of requests as they were before they were rewritten."""
HANDSHAKE: Final = "handshake"
SERIAL_NUMBER: Final = "serial"
BEGIN: Final = "begin"
END: Final = "end"
_CONNECTION_TAGS: Final = {
    HANDSHAKE: "%COMMON_DURATION(DS_CX_BEG:DS_HS_END:us)%",
    SERIAL_NUMBER: "%DOWNSTREAM_PEER_SERIAL%",
    BEGIN: "%DOWNSTREAM_PEER_CERT_V_START(%Y-%m-%dT%H:%M:%SZ)%",
    END: "%DOWNSTREAM_PEER_CERT_V_END(%Y-%m-%dT%H:%M:%SZ)%",
}
"""Tags of connections: microseconds until they were encrypted, and parts of the client's certificate."""


def make_request_logs(load_balancer: LoadBalancer, listener: Listener) -> list[Resource]:
    """Return the log of the requests to a listener, where its load balancer has one."""
    if not log_files.is_wanted(log_files.ACCESS, load_balancer):
        return []
    tags = [
        {
            "tag": name,
            "metadata": {"kind": {kind: {}}, "metadata_key": {"key": names.METADATA, "path": [{"key": name}]}},
        }
        for name, kind in _TAGS.items()
    ]
    made = make_extension(
        "requests",
        _HTTP,
        common_config={**_make_common(listener.arn), "custom_tags": tags},
        additional_request_headers_to_log=["x-amzn-trace-id", request_checks.LENGTH],
        additional_response_headers_to_log=["location"],
    )
    return [made]


def make_connection_logs(load_balancer: LoadBalancer, listener: Listener) -> list[Resource]:
    """Return the log of the connections to a listener, where its load balancer has one."""
    kind = log_files.CONNECTIONS if load_balancer.is_application else log_files.ACCESS
    is_secure = listener.description["Protocol"] in ("HTTPS", "TLS")
    if not is_secure or not log_files.is_wanted(kind, load_balancer):
        return []
    tags = [{"tag": name, "value": value} for name, value in _CONNECTION_TAGS.items()]
    common = {**_make_common(listener.arn + CONNECTIONS), "custom_tags": tags}
    return [make_extension("connections", _TCP, common_config=common)]


def _make_common(name: str) -> Resource:
    return {
        "log_name": name,
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": program.CONFIGURATION_CLUSTER}},
        "buffer_flush_interval": "0.5s",
    }
