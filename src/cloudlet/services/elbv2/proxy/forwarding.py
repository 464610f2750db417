"""Forwarding to target groups: weights, stickiness, and rewrites of hosts and URLs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names, pages, request_checks, rewrites, stickiness
from cloudlet.services.elbv2.proxy.headers import find_host_rewrite
from cloudlet.services.elbv2.proxy.resources import make_header
from cloudlet.services.elbv2.proxy.view import Description, Listener, LoadBalancer, TargetGroup, View

Routes = list[tuple[Resource, Resource]]


def list_groups(action: Description) -> list[tuple[str, int]]:
    """Return the ARNs and weights of the target groups of an action."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
    if not groups:
        return [(action["TargetGroupArn"], 1)]
    return [(each["TargetGroupArn"], int(each.get("Weight", 1))) for each in groups]


def make_routes(
    view: View, load_balancer: LoadBalancer, listener: Listener, action: Description, transforms: Sequence[Description]
) -> Routes:
    """Return routes, each with its predicate.

    The first one that holds counts, and {} always does.
    """
    groups = list_groups(action)
    sticky = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
    seconds = int(sticky.get("DurationSeconds", 0)) if sticky.get("Enabled") and len(groups) > 1 else 0
    shared = _make_shared(load_balancer, listener, transforms)
    versions = {each.description.get("ProtocolVersion", "HTTP1") for each in _find_groups(view, groups)}
    has_http_2 = listener.description["Protocol"] == "HTTPS" and is_http_2_enabled(load_balancer)
    refused = request_checks.make_protocol_routes(versions, has_http_2=has_http_2)
    weighted = [(arn, weight) for arn, weight in groups if weight]
    found: Routes = []
    if seconds:
        found = [(stickiness.match_group(arn), _make_route(view, [(arn, 1)], seconds, shared)) for arn, _ in groups]
    last = _make_route(view, weighted, seconds, shared) if weighted else pages.make_response(503)
    return [*refused, *found, ({}, last)]


def is_http_2_enabled(load_balancer: LoadBalancer) -> bool:
    """Whether a load balancer speaks HTTP/2 with clients that have TLS."""
    return load_balancer.attributes.get("routing.http2.enabled", "true") == "true"


def _find_groups(view: View, groups: list[tuple[str, int]]) -> list[TargetGroup]:
    found = (view.target_groups.get(arn) for arn, _ in groups)
    return [each for each in found if each is not None]


def list_listener_groups(listener: Listener) -> list[str]:
    """Return the ARNs of the target groups that a listener forwards to."""
    actions = [*listener.description["DefaultActions"], *(each for rule in listener.rules for each in rule["Actions"])]
    return [arn for action in actions if action["Type"] == "forward" for arn, _ in list_groups(action)]


def _make_shared(load_balancer: LoadBalancer, listener: Listener, transforms: Sequence[Description]) -> dict[str, Any]:
    idle = load_balancer.attributes.get("idle_timeout.timeout_seconds", "60")
    changed = rewrites.make_rewrites(transforms)
    action = {"timeout": "0s", "idle_timeout": f"{idle}s"}
    host = find_host_rewrite(load_balancer, listener, is_changed=changed.has_host)
    if host:
        action["host_rewrite"] = host
    return {"action": action, "filters": changed.filters}


def _make_route(view: View, groups: list[tuple[str, int]], seconds: int, shared: dict[str, Any]) -> Resource:
    weighted = [{"weight": weight, **_make_cluster(view, arn, seconds)} for arn, weight in groups]
    action = {"weighted_clusters": {"clusters": weighted}, **shared["action"]}
    return {"route": action, **({"typed_per_filter_config": shared["filters"]} if shared["filters"] else {})}


def _make_cluster(view: View, arn: str, seconds: int) -> Resource:
    group = view.target_groups.get(arn)
    found: Resource = {"name": arn}
    if group is None:
        return found
    if filters := stickiness.make_route_filters(arn, group.attributes, seconds):
        found["typed_per_filter_config"] = filters
    if group.description.get("TargetType") == "lambda":
        found["request_headers_to_add"] = [make_header(names.TARGET_GROUP, arn)]
    return found
