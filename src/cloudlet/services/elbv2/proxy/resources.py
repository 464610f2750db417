"""Pieces of Envoy's resources, in the JSON form of its protobuf messages."""

from __future__ import annotations

from typing import Any, Final

Resource = dict[str, Any]
ADS: Final[Resource] = {"ads": {}, "resource_api_version": "V3"}
"""The source of a configuration that comes over the aggregated stream."""


def make_typed(type_name: str, /, **fields: Any) -> Resource:
    """Return a message that says its type."""
    return {"@type": f"type.googleapis.com/{type_name}", **fields}


def make_extension(name: str, type_name: str, /, **fields: Any) -> Resource:
    """Return an extension with its configuration."""
    return {"name": name, "typed_config": make_typed(type_name, **fields)}


def make_route_filter(type_name: str, /, **fields: Any) -> Resource:
    """Return the configuration by which a route has a filter that is disabled elsewhere."""
    return make_typed("envoy.config.route.v3.FilterConfig", config=make_typed(type_name, **fields))


def make_header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Resource:
    """Return a header that is to be added."""
    return {"header": {"key": name, "value": value}, "append_action": action}


def make_case_keeping() -> Resource:
    """Return the format of HTTP/1.1's heads: names and reasons as they came, added names capitalized."""
    return {
        "stateful_formatter": make_extension(
            "preserve_case",
            "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig",
            formatter_type_on_envoy_headers="PROPER_CASE",
            forward_reason_phrase=True,
        )
    }


def make_regex(pattern: str) -> Resource:
    """Return a regular expression of RE2."""
    return {"google_re2": {}, "regex": pattern}


def make_socket_address(address: str, port: int, protocol: str = "TCP") -> Resource:
    """Return an address with its port."""
    return {"socket_address": {"protocol": protocol, "address": address, "port_value": port}}


def escape_format(text: str) -> str:
    """Return text as it may stand in a substitution format."""
    return text.replace("%", "%%")
