"""Redirects, with AWS's placeholders as Envoy's formats (API reference, "RedirectActionConfig")."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names, pages
from cloudlet.services.elbv2.proxy.conditions import match_exact, match_path_with_query
from cloudlet.services.elbv2.proxy.resources import escape_format, make_header
from cloudlet.services.elbv2.proxy.view import Description, Listener, LoadBalancer

_QUERY: Final = "?%QUERY_PARAMS(ORIG)%"
_PATH: Final = "%PATH(NQ:PATH)%"


def make_routes(
    load_balancer: LoadBalancer, listener: Listener, config: Description
) -> list[tuple[Resource, Resource]]:
    """Return routes, each with its predicate.

    The first one that holds counts, and {} always does. A client of this machine is sent to where it can reach the
    listener that is meant.
    """
    own = {name: str(listener.description[name.title()]).lower() for name in ("protocol", "port")}
    port = int(config.get("Port", "#{port}").replace("#{port}", own["port"]))
    found = _make_routes(own, config, port)
    moved = load_balancer.find_machine_port(port)
    if moved == port:
        return found
    on_machine = match_exact(names.ADDRESS, load_balancer.machine_address)
    return [*((_join(on_machine, each), route) for each, route in _make_routes(own, config, moved)), *found]


def _join(first: Resource, second: Resource) -> Resource:
    return {"and_matcher": {"predicate": [first, second]}} if second else first


def _make_routes(own: dict[str, str], config: Description, port: int) -> list[tuple[Resource, Resource]]:
    protocol = config.get("Protocol", "#{protocol}").lower().replace("#{protocol}", own["protocol"])
    host, path, query = (config.get(name, default) for name, default in _DEFAULTS.items())
    begin = f"{protocol}://{_fill(host, own)}:{port}"
    if query != "#{query}":
        return [({}, _make_route(config, begin + _fill(path, own) + (f"?{_fill(query, own)}" if query else "")))]
    if path == "/#{path}":
        return [({}, _make_route(config, f"{begin}%PATH(WQ:PATH)%"))]
    with_path = begin + _fill(path, own)
    return [(match_path_with_query(), _make_route(config, with_path + _QUERY)), ({}, _make_route(config, with_path))]


_DEFAULTS: Final = {"Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}


def _fill(template: str, own: dict[str, str]) -> str:
    text = escape_format(template)
    for placeholder, value in (
        ("#{protocol}", own["protocol"]),
        ("#{host}", "%REQ(:authority)%"),
        ("#{port}", own["port"]),
        ("/#{path}", _PATH),
        ("#{path}", _PATH),
        ("#{query}", _QUERY[1:]),
    ):
        text = text.replace(placeholder, value)
    return text


def _make_route(config: Description, location: str) -> Resource:
    route = pages.make_response(int(config["StatusCode"].removeprefix("HTTP_")))
    route["response_headers_to_add"] = [*route["response_headers_to_add"], make_header("location", location)]
    return route
