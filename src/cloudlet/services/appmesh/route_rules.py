"""Rules of routes and gateway routes that the model does not say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.services.appmesh import limits
from cloudlet.services.appmesh.errors import BadRequest
from cloudlet.services.appmesh.kinds import ROUTE_TYPES, Spec, get_route

HTTP_RETRY_EVENTS: Final = ("server-error", "gateway-error", "client-error", "stream-error")
_RETRY_EVENTS: Final = ("httpRetryEvents", "tcpRetryEvents", "grpcRetryEvents")
TOTAL_WEIGHT: Final = 100
_HEADER_NAME: Final = re.compile(r":?[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def check_duration(duration: Mapping[str, Any], what: str, minimum: int = 0) -> None:
    """Raise BadRequest for a duration that is not whole, too short or too long."""
    if duration.get("unit") is None or duration.get("value") is None:
        raise BadRequest(f"The duration {what} must have a unit and a value.")
    if duration["value"] < minimum:
        raise BadRequest(f"The duration {what} must be {minimum} or more.")
    if duration["value"] > limits.MAX_DURATION_SECONDS * (1000 if duration["unit"] == "ms" else 1):
        raise BadRequest(f"The duration {what} must be {limits.MAX_DURATION_SECONDS} seconds at most.")


def check_text(text: str, what: str) -> None:
    """Raise BadRequest for a text that cannot stand in a request."""
    if _CONTROL.search(text):
        raise BadRequest(f"{what} must have no control characters.")


def check_count(count: int, what: str) -> None:
    """Raise BadRequest for a count that is too great for an Envoy."""
    if count > limits.MAX_COUNTED_EVENTS:
        raise BadRequest(f"{what} must be {limits.MAX_COUNTED_EVENTS} at most.")


def _get_only_route(spec: Spec) -> tuple[str, dict[str, Any]]:
    given = [name for name in ROUTE_TYPES if spec.get(name) is not None]
    if len(given) != 1:
        raise BadRequest("A route must have one of httpRoute, http2Route, grpcRoute and tcpRoute.")
    return get_route(spec)


def check_route(spec: Spec) -> None:
    """Raise BadRequest for a route that makes no sense in itself."""
    name, route = _get_only_route(spec)
    targets = route["action"]["weightedTargets"]
    nodes = [(each["virtualNode"], each.get("port")) for each in targets]
    if len(set(nodes)) != len(nodes):
        raise BadRequest("Each weighted target must be another one.")
    total = sum(each["weight"] for each in targets)
    if not 0 < total <= TOTAL_WEIGHT:
        raise BadRequest(f"The total weight of all targets must be 1 to {TOTAL_WEIGHT}.")
    for member, duration in (route.get("timeout") or {}).items():
        check_duration(duration, f"timeout.{member}")
    _check_retries(route.get("retryPolicy"))
    if name != "tcpRoute":
        _check_match(name, route["match"])


def check_gateway_route(spec: Spec) -> None:
    """Raise BadRequest for a gateway route that makes no sense in itself."""
    name, route = _get_only_route(spec)
    match, rewrite = route["match"], route["action"].get("rewrite") or {}
    _check_match(name, match)
    hostname = match.get("hostname")
    if hostname is not None and len(hostname) != 1:
        raise BadRequest("A hostname match must have one of exact, suffix.")
    if name != "grpcRoute":
        _check_rewrite(match, rewrite)


def _check_rewrite(match: Mapping[str, Any], rewrite: Mapping[str, Any]) -> None:
    prefix, path = rewrite.get("prefix"), rewrite.get("path")
    if prefix is not None and path is not None:
        raise BadRequest("A rewrite must have one of prefix, path only.")
    if path is not None and (match.get("prefix") is not None or not path.get("exact", "").startswith("/")):
        raise BadRequest("A rewrite of the path must be a path, and needs a match of the path.")
    if prefix is None:
        return
    if len(prefix) != 1:
        raise BadRequest("A rewrite of the prefix must have one of defaultPrefix, value.")
    if match.get("prefix") is None:
        raise BadRequest("A rewrite of the prefix needs a match of the prefix.")
    value = prefix.get("value")
    if value is not None and not (value.startswith("/") and value.endswith("/") and match["prefix"].endswith("/")):
        raise BadRequest("The value of a rewrite, and the prefix that it replaces, must begin and end with /.")


def _check_match(name: str, match: Mapping[str, Any]) -> None:
    if name == "grpcRoute":
        if match.get("methodName") is not None and match.get("serviceName") is None:
            raise BadRequest("A match of methodName needs one of serviceName.")
        _check_values(match.get("metadata") or ())
        return
    prefix, path = match.get("prefix"), match.get("path")
    if prefix is not None and path is not None:
        raise BadRequest("A match must have one of prefix, path only.")
    if prefix is not None and not prefix.startswith("/"):
        raise BadRequest("The prefix of a match must begin with /.")
    if path is not None and len(path) != 1:
        raise BadRequest("A match of the path must have one of exact, regex.")
    if path is not None and not path.get("exact", "/").startswith("/"):
        raise BadRequest("The exact path of a match must begin with /.")
    if match.get("scheme") is not None and name != "http2Route":
        raise BadRequest("A match of the scheme is for http2Route only.")
    _check_values(match.get("headers") or ())
    for parameter in match.get("queryParameters") or ():
        if not 0 < len(parameter["name"].encode()) <= limits.MAX_PARAMETER_NAME_BYTES:
            raise BadRequest(
                f"The name of a query parameter must have 1 to {limits.MAX_PARAMETER_NAME_BYTES} characters."
            )


def _check_values(headers: Any) -> None:
    for header in headers:
        match = header.get("match")
        if not _HEADER_NAME.fullmatch(header["name"]):
            raise BadRequest(f"{header['name']} is not the name of a header.")
        for value in (match or {}).values():
            check_text(value if isinstance(value, str) else "", f"The match of {header['name']}")
        if match is not None and len(match) != 1:
            raise BadRequest(f"The match of {header['name']} must have one of exact, prefix, range, regex, suffix.")
        bounds = (match or {}).get("range")
        if bounds is not None and bounds["start"] >= bounds["end"]:
            raise BadRequest(f"The range of {header['name']} must start before it ends.")


def _check_retries(policy: Mapping[str, Any] | None) -> None:
    if policy is None:
        return
    if not any(policy.get(member) for member in _RETRY_EVENTS):
        raise BadRequest(f"A retry policy must have at least one of {', '.join(_RETRY_EVENTS)}.")
    for event in policy.get("httpRetryEvents") or ():
        if event not in HTTP_RETRY_EVENTS:
            raise BadRequest(f"{event} is not one of the HTTP retry events {', '.join(HTTP_RETRY_EVENTS)}.")
    check_count(policy["maxRetries"], "retryPolicy.maxRetries")
    check_duration(policy["perRetryTimeout"], "retryPolicy.perRetryTimeout")
