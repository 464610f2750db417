"""The configuration that an Envoy of App Mesh starts with: its name, and its server."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cloudlet.engines.envoy.resource_parts import (
    ADS,
    RUNTIME,
    make_extension,
    make_protocol_options,
    make_socket_address,
)
from cloudlet.engines.envoy.snapshot import Resource

SDS_CLUSTER: Final = "static_cluster_sds_unix_socket"
"""The cluster of the local SDS provider (APPMESH_SDS_SOCKET_PATH)."""
MANAGEMENT_PORT: Final = 18000
"""The port of Envoy's own examples of management servers."""
MANAGEMENT_SOCKET: Final = "envoys.sock"
"""In the data folder: where App Mesh answers Envoys in networks of their own."""
_ADS_CLUSTER: Final = "cloudlet_envoy_management"
_CODE_POINT_BITS: Final = 2
"""The place of a code point in the field for it (RFC 2474)."""
_AWAITED: Final = {**ADS, "initial_fetch_timeout": "1s"}
"""The wait for the first configuration.

Where the stream is signed, credentials for that come only after it.
"""
_TAGS: Final = {
    "mesh": "appmesh.mesh",
    "virtualNode": "appmesh.virtual_node",
    "virtualGateway": "appmesh.virtual_gateway",
}
_HTTP2: Final[Resource] = {"explicit_http_config": {"http2_protocol_options": {}}}


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """The choices of an Envoy that its mesh knows nothing of."""

    admin: str = ""
    """The address and port of its admin interface, or the path of a socket."""
    tracing: str = ""
    """The address and port of the X-Ray daemon that it reports to."""
    statsd: str = ""
    """The address and port of the DogStatsD daemon that gets its statistics."""
    has_tags: bool = False
    """Whether statistics are tagged by the mesh and the resource in it."""
    sds_socket: str = ""
    """The socket of a local SDS provider."""
    region: str = ""
    """The region that its calls are signed for; not signed where it is empty."""
    mark: int = 0
    """The mark of its own connections, which are not to be redirected."""
    code_point: int = 0
    """The code point of its own connections: a mark that anybody may set."""


def make_bootstrap(node_id: str, server: str, options: BootstrapOptions) -> Resource:
    """Return the bootstrap of an Envoy.

    Its management server is at an address and port, or at the path of a socket.
    """
    source = {"api_type": "GRPC", "transport_api_version": "V3"}
    service = {"envoy_grpc": {"cluster_name": _ADS_CLUSTER}}
    path = node_id.rpartition(":")[2].partition("@")[0]
    clusters = [_make_cluster(_ADS_CLUSTER, _parse_address(server), _make_filters(options.region))]
    if options.sds_socket:
        clusters.append(_make_cluster(SDS_CLUSTER, {"pipe": {"path": options.sds_socket}}, {}))
    made: Resource = {
        "node": {"id": node_id, "cluster": path},
        "dynamic_resources": {
            "ads_config": {**source, "grpc_services": [service]},
            "lds_config": _AWAITED,
            "cds_config": _AWAITED,
        },
        "static_resources": {"clusters": clusters},
        "layered_runtime": RUNTIME,
    }
    marks = (
        (socket.SOL_SOCKET, socket.SO_MARK, options.mark),
        (socket.IPPROTO_IP, socket.IP_TOS, options.code_point << _CODE_POINT_BITS),
    )
    set_options = [
        {"level": level, "name": name, "int_value": value, "state": "STATE_PREBIND"}
        for level, name, value in marks
        if value
    ]
    if set_options:
        made["cluster_manager"] = {"upstream_bind_config": {"socket_options": set_options}}
    if options.admin:
        made["admin"] = {"address": _parse_address(options.admin)}
    if options.statsd:
        address = _parse_address(options.statsd, protocol="UDP")
        sink = make_extension("envoy.stat_sinks.dog_statsd", "envoy.config.metrics.v3.DogStatsdSink", address=address)
        made["stats_sinks"] = [sink]
    if options.has_tags:
        made["stats_config"] = {"stats_tags": list(_list_tags(path))}
    if options.tracing:
        tracer = make_extension(
            "envoy.tracers.xray",
            "envoy.config.trace.v3.XRayConfig",
            daemon_endpoint=_parse_address(options.tracing, protocol="UDP")["socket_address"],
            segment_name=path.removeprefix("mesh/").replace("/virtualNode", "").replace("/virtualGateway", ""),
        )
        made["tracing"] = {"http": tracer}
    return made


def _list_tags(path: str) -> Iterator[Resource]:
    """Yield App Mesh's tags of statistics, for the path of a resource: `mesh/M/virtualNode/N`."""
    parts = path.split("/")
    for kind, name in zip(parts[::2], parts[1::2], strict=False):
        if kind in _TAGS:
            yield {"tag_name": _TAGS[kind], "fixed_value": name}


def _parse_address(text: str, **more: str) -> Resource:
    if text.startswith("/"):
        return {"pipe": {"path": text}}
    host, _, port = text.rpartition(":")
    return make_socket_address(host, int(port), **more)


def _make_filters(region: str) -> Resource:
    """Return the filters that sign calls with the credentials of the Envoy's environment (SigV4)."""
    if not region:
        return {}
    signing = make_extension(
        "envoy.filters.http.aws_request_signing",
        "envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning",
        service_name="appmesh",
        region=region,
        use_unsigned_payload=True,
    )
    codec = make_extension(
        "envoy.filters.http.upstream_codec", "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"
    )
    return {"http_filters": [signing, codec]}


def _make_cluster(name: str, address: Resource, filters: Mapping[str, object]) -> Resource:
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": make_protocol_options(**_HTTP2, **filters),
    }
