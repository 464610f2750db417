"""Pieces of Envoy's resources that load balancers need."""

from __future__ import annotations

from typing import Any

from cloudlet.engines.envoy.resource_parts import make_extension, make_typed
from cloudlet.engines.envoy.snapshot import Resource


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


def escape_format(text: str) -> str:
    """Return text as it may stand in a substitution format."""
    return text.replace("%", "%%")
