"""Pieces of Envoy's resources that all blocks need, in the JSON form of its messages."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.engines.envoy.snapshot import Resource

ADS: Final[Resource] = {"ads": {}, "resource_api_version": "V3"}
"""The source of configuration that comes over the aggregated stream."""
RUNTIME: Final[Resource] = {
    "layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": 10_000}}],
}
"""The runtime of a bootstrap.

Regular expressions may be as long as AWS takes them. Envoy's own limit refuses those of some 100 characters.
"""
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def make_typed(type_name: str, /, **fields: Any) -> Resource:
    """Return a message that says its type: `envoy.extensions…`."""
    return {"@type": f"type.googleapis.com/{type_name}", **fields}


def make_extension(name: str, type_name: str, /, **fields: Any) -> Resource:
    """Return an extension with its configuration."""
    return {"name": name, "typed_config": make_typed(type_name, **fields)}


def make_socket_address(address: str, port: int, protocol: str = "TCP", **more: Any) -> Resource:
    """Return an address with its port."""
    return {"socket_address": {"protocol": protocol, "address": address, "port_value": port, **more}}


def make_protocol_options(**fields: Any) -> Resource:
    """Return how a cluster speaks HTTP, for its `typed_extension_protocol_options`."""
    return {_HTTP_OPTIONS: make_typed(_HTTP_OPTIONS, **fields)}


HTTP2: Final[Resource] = make_protocol_options(explicit_http_config={"http2_protocol_options": {}})
"""The options of a cluster that speaks HTTP/2."""
