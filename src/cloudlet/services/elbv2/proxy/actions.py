"""Actions of rules as Envoy's routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import authenticating, forwarding, names, pages, redirects
from cloudlet.services.elbv2.proxy.resources import make_header
from cloudlet.services.elbv2.proxy.view import Description, Listener, LoadBalancer, View

_ROUTE: Final = "envoy.config.route.v3.Route"


def make_match(
    view: View,
    load_balancer: LoadBalancer,
    listener: Listener,
    actions: Sequence[Description],
    transforms: Sequence[Description] = (),
    priority: str = "0",
    holder: str = "",
    evaluated: int = 0,
) -> Resource:
    """Return what a matcher does for a rule.

    `holder` is the ARN of the rule, or of the listener whose default actions these are. `evaluated` are the rules that
    are looked at until this one holds.
    """
    *before, last = sorted(actions, key=lambda action: action.get("Order", 1))
    checks = authenticating.make_route_filters(holder, actions)
    metadata = {
        "rule": priority,
        "actions": ",".join([*(_find_name(each) for each in before), last["Type"]]),
        names.EVALUATED: str(evaluated),
    }
    routes = [
        (predicate, _complete(route, metadata, checks))
        for predicate, route in _make_routes(view, load_balancer, listener, last, transforms)
    ]
    *chosen, (_, fallback) = routes
    if not chosen:
        return _make_action(fallback)
    matchers = [{"predicate": predicate, "on_match": _make_action(route)} for predicate, route in chosen]
    return {"matcher": {"matcher_list": {"matchers": matchers}, "on_no_match": _make_action(fallback)}}


def _complete(route: Resource, metadata: dict[str, str], filters: Resource) -> Resource:
    found = {"match": {"prefix": "/"}, "metadata": {"filter_metadata": {names.METADATA: metadata}}, **route}
    if filters:
        found["typed_per_filter_config"] = {**found.get("typed_per_filter_config", {}), **filters}
    return found


def _make_action(route: Resource) -> Resource:
    return {"action": make_extension("route", _ROUTE, **route)}


def _find_name(action: Description) -> str:
    return "authenticate" if action["Type"].startswith("authenticate") else "validate"


def _make_routes(
    view: View, load_balancer: LoadBalancer, listener: Listener, action: Description, transforms: Sequence[Description]
) -> forwarding.Routes:
    match action["Type"]:
        case "redirect":
            return redirects.make_routes(load_balancer, listener, action["RedirectConfig"])
        case "fixed-response":
            return [({}, _make_fixed_response(action["FixedResponseConfig"]))]
        case _:
            return forwarding.make_routes(view, load_balancer, listener, action, transforms)


def _make_fixed_response(config: Description) -> Resource:
    kind = config.get("ContentType") or "text/plain"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    body = config.get("MessageBody") or ""
    return {
        "direct_response": {"status": int(config["StatusCode"]), **({"body": {"inline_string": body}} if body else {})},
        "response_headers_to_add": [make_header("server", pages.SERVER), make_header("content-type", kind)],
    }
