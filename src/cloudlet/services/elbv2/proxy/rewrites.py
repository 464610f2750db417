"""Transforms of rules (user guide, "Transforms for listener rules").

A filter writes what a regular expression makes of a header into the request's metadata, from where it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.resources import make_regex, make_route_filter
from cloudlet.services.elbv2.proxy.view import Description

_TO_METADATA: Final = "envoy.extensions.filters.http.header_to_metadata.v3.Config"
_LUA: Final = "envoy.extensions.filters.http.lua.v3.Lua"
_EXPRESSIONS, _URL = "rewrite", "rewrite-url"
_SET_URL: Final = f"""
function envoy_on_request(handle)
  local known = handle:streamInfo():dynamicMetadata():get("{names.METADATA}")
  if known and known["url"] then handle:headers():replace(":path", known["url"]) end
end
"""


class Rewrites(NamedTuple):
    """The filters of a route, by their names."""

    filters: Resource
    has_host: bool


def make_filters() -> list[Resource]:
    """Return the filters; routes that rewrite something have them."""
    lua = make_extension(_URL, _LUA, source_codes={_URL: {"inline_string": _SET_URL}}, clear_route_cache=False)
    return [{**each, "disabled": True} for each in (make_extension(_EXPRESSIONS, _TO_METADATA), lua)]


def make_rewrites(transforms: Sequence[Description]) -> Rewrites:
    """Return what a route has of these filters for the transforms of its rule."""
    rules = [_make_rule(each) for each in transforms]
    if not rules:
        return Rewrites({}, has_host=False)
    # Logs have what the client has sent.
    for header, key in ((":path", names.SENT_URL), (":authority", names.SENT_HOST)):
        rules.append({"header": header, "on_header_present": {"metadata_namespace": names.METADATA, "key": key}})
    types = {each["Type"] for each in transforms}
    filters = {_EXPRESSIONS: make_route_filter(_TO_METADATA, request_rules=rules)}
    if "url-rewrite" in types:
        filters[_URL] = make_route_filter(f"{_LUA}PerRoute", name=_URL)
    return Rewrites(filters, has_host="host-header-rewrite" in types)


def _make_rule(transform: Description) -> Resource:
    is_host = transform["Type"] == "host-header-rewrite"
    config = transform["HostHeaderRewriteConfig" if is_host else "UrlRewriteConfig"]
    rewrite = config["Rewrites"][0]
    changed = {"pattern": make_regex(rewrite["Regex"]), "substitution": _translate(rewrite["Replace"])}
    return {
        "header": ":authority" if is_host else ":path",
        "on_header_present": {
            "metadata_namespace": names.METADATA,
            "key": "host" if is_host else "url",
            "regex_value_rewrite": changed,
        },
    }


def _translate(replacement: str) -> str:
    r"""Return a replacement with `$1` as RE2 has it, with `\1`."""
    return re.sub(r"\$([0-9])", r"\\\1", replacement.replace("\\", "\\\\"))
