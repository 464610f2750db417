"""Listeners of Network Load Balancers: connections and datagrams, passed on as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cloudlet.engines.envoy.resource_parts import make_extension, make_typed
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import access_logging, counting, forwarding, tls
from cloudlet.services.elbv2.proxy.listeners import make_addresses
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, View

_TCP_PROXY: Final = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_UDP_PROXY: Final = "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig"
_ROUTE: Final = "envoy.extensions.filters.udp.udp_proxy.v3.Route"
_INSPECTOR: Final = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
_UDP_IDLE_TIMEOUT: Final = "120s"
DATAGRAMS: Final = " datagrams"
"""The end of the name of a listener's part for UDP."""


def has_connections(listener: Listener) -> bool:
    """Whether a listener takes connections."""
    return listener.description["Protocol"] in ("TCP", "TLS", "TCP_UDP")


def has_datagrams(listener: Listener) -> bool:
    """Whether a listener takes datagrams."""
    return listener.description["Protocol"] in ("UDP", "TCP_UDP")


def _list_groups(listener: Listener) -> list[tuple[str, int]]:
    return forwarding.list_groups(listener.description["DefaultActions"][0])


def _has_attribute(view: View, listener: Listener, key: str) -> bool:
    groups = [view.target_groups.get(arn) for arn, _ in _list_groups(listener)]
    return any(group is not None and group.attributes.get(key) == "true" for group in groups)


def make_stream_listener(view: View, load_balancer: LoadBalancer, listener: Listener) -> Resource:
    """Return the part of a listener that takes connections."""
    description = listener.description
    is_secure = description["Protocol"] == "TLS"
    weighted = [{"name": arn, "weight": weight} for arn, weight in _list_groups(listener) if weight]
    target: Resource = (
        {"weighted_clusters": {"clusters": weighted}} if len(weighted) > 1 else {"cluster": weighted[0]["name"]}
    )
    proxy = make_extension(
        "tcp",
        _TCP_PROXY,
        stat_prefix=counting.get_id(listener),
        idle_timeout=f"{listener.attributes.get('tcp.idle_timeout.seconds', '350')}s",
        access_log=[
            counting.make_close_counter(listener),
            *access_logging.make_connection_logs(load_balancer, listener),
        ],
        **target,
        **_make_hash(view, listener),
    )
    chain: Resource = {"filters": [proxy]}
    filters = []
    if is_secure:
        policy = (description.get("AlpnPolicy") or ["None"])[0]
        chain["transport_socket"] = tls.make_transport_socket(view, listener, tls.list_protocols(policy))
        filters.append(make_extension("tls", _INSPECTOR))
    return {
        "name": listener.arn,
        "stat_prefix": counting.get_id(listener),
        **make_addresses(load_balancer, description["Port"]),
        "filter_chains": [chain],
        "listener_filters": filters,
        "enable_reuse_port": False,
    }


def _make_hash(view: View, listener: Listener) -> Resource:
    # Without stickiness a connection is a flow of its own: nothing to hash spreads connections at random.
    if _has_attribute(view, listener, "stickiness.enabled"):
        return {"hash_policy": [{"source_ip": {}}]}
    return {}


def make_datagram_listener(load_balancer: LoadBalancer, listener: Listener) -> Resource:
    """Return the part of a listener that takes datagrams, which is in the VPC only."""
    arn, _ = max(_list_groups(listener), key=lambda group: group[1])
    action = {"name": "route", "typed_config": make_typed(_ROUTE, cluster=arn)}
    proxy = make_extension(
        "udp",
        _UDP_PROXY,
        stat_prefix=counting.get_id(listener),
        idle_timeout=_UDP_IDLE_TIMEOUT,
        matcher={"on_no_match": {"action": action}},
        hash_policies=[{"source_ip": True}],
    )
    return {
        "name": listener.arn + DATAGRAMS,
        **make_addresses(replace(load_balancer, machine_address=""), listener.description["Port"], "UDP"),
        "udp_listener_config": {"downstream_socket_config": {"max_rx_datagram_size": 9000}},
        "listener_filters": [proxy],
        "enable_reuse_port": True,
    }
