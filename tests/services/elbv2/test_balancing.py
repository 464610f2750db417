"""Connections that keep the address of their client: which rules the router of a VPC gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudlet.services.elbv2.proxy.balancing import list_rules
from cloudlet.services.elbv2.proxy.target_health import HEALTHY, HealthEvent, HealthStates
from cloudlet.services.elbv2.proxy.view import TargetGroup, View
from tests.services.elbv2.envoys import forward, make_group, make_listener, make_view

_PRESERVING = {"preserve_client_ip.enabled": "true"}
_TARGETS = (("10.0.1.5", 8080), ("10.0.1.6", 8080))


def _make_group(attribute: str = "", value: str = "true") -> TargetGroup:
    """Return a target group that preserves addresses, with another attribute."""
    attributes = {**_PRESERVING, attribute: value} if attribute else _PRESERVING
    return make_group("web", *_TARGETS, attributes=attributes, Protocol="TCP")


def _make_view(group: TargetGroup, protocol: str = "TCP") -> View:
    listener = make_listener(forward(group), port=80, protocol=protocol, kind="net")
    return make_view(listener, groups=(group,), kind="network", machine_address="127.64.0.9")


def test_the_router_leads_connections_to_one_of_the_targets() -> None:
    met = "ip daddr { 127.0.0.1, 127.64.0.9 } %s dport 80 ct mark set 0x7f000001 dnat ip to"
    places = "map { 0 : 10.0.1.5 . 8080, 1 : 10.0.1.6 . 8080 }"
    (rule,) = list_rules(_make_view(_make_group()), HealthStates())
    assert rule.strip() == f"{met % 'tcp'} numgen random mod 2 {places}"
    (rule,) = list_rules(_make_view(_make_group(), "UDP"), HealthStates())
    assert rule.strip() == f"{met % 'udp'} jhash ip saddr . udp sport mod 2 {places}"
    both = list_rules(_make_view(_make_group("stickiness.enabled"), "TCP_UDP"), HealthStates())
    assert [rule.strip() for rule in both] == [f"{met % each} jhash ip saddr mod 2 {places}" for each in ("tcp", "udp")]


def test_healthy_targets_get_connections_alone() -> None:
    group, states = _make_group(), HealthStates()
    states.take(HealthEvent(group.arn, "10.0.1.6", 8080, HEALTHY, is_failure=False))
    (rule,) = list_rules(_make_view(group), states)
    assert rule.endswith("mod 1 map { 0 : 10.0.1.6 . 8080 }")


def test_targets_that_drain_get_no_connections() -> None:
    group = _make_group()
    first, second = group.targets
    drained = replace(group, targets=(replace(first, draining_until=1.0), second))
    (rule,) = list_rules(_make_view(drained), HealthStates())
    assert rule.endswith("mod 1 map { 0 : 10.0.1.6 . 8080 }")


@pytest.mark.parametrize(
    "view",
    [
        _make_view(_make_group("preserve_client_ip.enabled", "false")),
        _make_view(_make_group("proxy_protocol_v2.enabled")),
        _make_view(_make_group(), "TLS"),
        _make_view(replace(_make_group(), targets=())),
        _make_view(replace(_make_group(), targets=(replace(_make_group().targets[0], zone="all"),))),
        _make_view(make_group("web", *_TARGETS, attributes=_PRESERVING, TargetType="alb")),
    ],
)
def test_all_else_is_the_proxys(view: View) -> None:
    assert list_rules(view, HealthStates()) == []
