"""Requests that a load balancer refuses whatever its rules say (user guide, "HTTP error codes").

They are refused by matchers before those of the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names, pages
from cloudlet.services.elbv2.proxy.conditions import match_exact, match_regex
from cloudlet.services.elbv2.proxy.log_entries import NOTHING
from cloudlet.services.elbv2.proxy.view import LoadBalancer, TargetGroup

_MODE: Final = "routing.http.desync_mitigation_mode"
_MAX_FORWARDED_ADDRESSES: Final = 30
_TOO_MANY_ADDRESSES: Final = 463
_INCOMPATIBLE_PROTOCOL: Final = 464
_ROUTE: Final = "envoy.config.route.v3.Route"
_BODILESS: Final = ("GET", "HEAD")
_GRPC: Final = r"application/grpc(?:\+.*)?"
_BY_DETAILS: Final = {
    "http1.content_length_and_chunked_not_allowed": ("Ambiguous", "BothTeClPresent"),
    "http1.invalid_transfer_encoding": ("Severe", "BadTransferEncoding"),
}
LENGTH: Final = "content-length"
"""The header by which requests are classified that Envoy has accepted."""


def is_strict(load_balancer: LoadBalancer) -> bool:
    """Whether a load balancer refuses all requests that RFC 7230 does not know."""
    return load_balancer.attributes.get(_MODE) == "strictest"


def make_matchers(load_balancer: LoadBalancer) -> list[Resource]:
    """Return the matchers of requests that are refused."""
    addresses = f"(?:[^,]*,){{{_MAX_FORWARDED_ADDRESSES}}}.*"
    found = [
        (match_regex("x-forwarded-for", addresses), _make_empty(_TOO_MANY_ADDRESSES)),
        (match_exact(":method", "TRACE"), pages.make_response(405)),
    ]
    if is_strict(load_balancer):
        is_bodiless = match_regex(":method", "|".join(_BODILESS))
        has_length = match_regex(LENGTH, ".*")
        found.append(({"and_matcher": {"predicate": [is_bodiless, has_length]}}, pages.make_response(400)))
    return [{"predicate": predicate, "on_match": _make_action(route)} for predicate, route in found]


def _make_action(route: Resource) -> Resource:
    return {"action": make_extension("route", _ROUTE, match={"prefix": "/"}, **route)}


def _make_empty(status: int) -> Resource:
    return {
        "direct_response": {"status": status},
        "response_headers_to_add": [pages.make_server_header()],
    }


def make_protocol_routes(versions: set[str], *, has_http_2: bool) -> list[tuple[Resource, Resource]]:
    """Return routes, each with its predicate, of requests whose protocol the targets do not speak.

    `versions` are those of their target groups. `has_http_2` says whether clients can call by gRPC.
    """
    by_http_1 = match_regex(names.PROTOCOL, "HTTP/1.*")
    if versions == {"HTTP2"}:
        predicate = by_http_1
    elif versions == {"GRPC"}:
        predicate = {"or_matcher": {"predicate": [by_http_1, {"not_matcher": match_exact(":method", "POST")}]}}
    elif versions == {"HTTP1"} and has_http_2:
        predicate = match_regex("content-type", _GRPC)
    else:
        return []
    return [(predicate, _make_empty(_INCOMPATIBLE_PROTOCOL))]


def needs_protocol(groups: Iterable[TargetGroup]) -> bool:
    """Whether requests to target groups are checked for their protocol."""
    return any(each.description.get("ProtocolVersion") in ("HTTP2", "GRPC") for each in groups)


def classify(entry: Any) -> tuple[str, str]:
    """Return the class of a request for desync mitigation, and the reason.

    Good ones have "-". Envoy does not tell all reasons for which it refuses requests.
    """
    request = entry.request
    if (found := _BY_DETAILS.get(entry.response.response_code_details)) is not None:
        return found
    if request.request_method not in _BODILESS_NUMBERS or LENGTH not in request.request_headers:
        return NOTHING, NOTHING
    if request.request_headers[LENGTH] == "0":
        return "Acceptable", "GetHeadZeroContentLength"
    return "Ambiguous", "UndefinedContentLengthSemantics"


_BODILESS_NUMBERS: Final = (1, 2)
"""GET and HEAD in log entries."""
