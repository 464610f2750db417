"""Matches of routes: what App Mesh's say, in Envoy's form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.engines.envoy.snapshot import Resource

Match = Mapping[str, Any]


def make_match(kind: str, match: Match) -> Resource:
    """Return the match of a route or gateway route of a type: httpRoute, http2Route, grpcRoute."""
    made: Resource = _make_grpc_path(match) if kind == "grpcRoute" else _make_path(match)
    headers = [make_header(each) for each in (*(match.get("headers") or ()), *(match.get("metadata") or ()))]
    if match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": match["method"]}})
    if match.get("scheme"):
        headers.append({"name": ":scheme", "string_match": {"exact": match["scheme"]}})
    if match.get("hostname"):
        headers.append(_make_hostname(match["hostname"]))
    made["headers"] = headers
    made["query_parameters"] = list(_make_query_parameters(match.get("queryParameters") or ()))
    return made


def _make_path(match: Match) -> Resource:
    path = match.get("path") or {}
    if "exact" in path:
        return {"path": path["exact"]}
    if "regex" in path:
        return {"safe_regex": {"regex": path["regex"]}}
    return {"prefix": match.get("prefix") or "/"}


def _make_grpc_path(match: Match) -> Resource:
    service, method = match.get("serviceName"), match.get("methodName")
    if service and method:
        return {"path": f"/{service}/{method}", "grpc": {}}
    return {"prefix": f"/{service}/" if service else "/", "grpc": {}}


def make_header(header: Match) -> Resource:
    """Return the match of a header, or of metadata of gRPC, which are headers."""
    made: Resource = {"name": header["name"].lower(), "invert_match": bool(header.get("invert"))}
    match header.get("match"):
        case {"range": {"start": start, "end": end}}:
            return {**made, "range_match": {"start": start, "end": end}}
        case {"regex": regex}:
            return {**made, "string_match": {"safe_regex": {"regex": regex}}}
        case {**values} if values:
            return {**made, "string_match": values}
    return {**made, "present_match": True}


def _make_hostname(hostname: Match) -> Resource:
    """Return the match of a host; the port in a request's Host does not count."""
    before = "" if "exact" in hostname else ".*"
    name = hostname.get("exact") or hostname["suffix"].removeprefix("*")
    regex = f"(?i){before}{re.escape(name)}(?::[0-9]+)?"
    return {"name": ":authority", "string_match": {"safe_regex": {"regex": regex}}}


def _make_query_parameters(parameters: Iterable[Match]) -> Iterable[Resource]:
    for each in parameters:
        exact = (each.get("match") or {}).get("exact")
        if exact is None:
            yield {"name": each["name"], "present_match": True}
        else:
            yield {"name": each["name"], "string_match": {"exact": exact}}
