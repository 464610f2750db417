"""Connections that keep their client's address: the VPC's router leads them to targets.

A proxy connects by an address of its own. Where a target group preserves those of clients, the router translates the
target's address alone, as Network Load Balancers do. Clients on this machine, and all others, have the proxy still.
"""

from __future__ import annotations

import logging
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.network.security_groups import make_number
from cloudlet.services.elbv2.proxy import forwarding
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, Target, TargetGroup, View

if TYPE_CHECKING:
    from cloudlet.services.elbv2.proxy.proxies import Proxies, ServedVpc
    from cloudlet.services.elbv2.proxy.target_health import HealthStates

log = logging.getLogger("cloudlet.elbv2")

_TABLE: Final = "ip balancing"
_PROTOCOLS: Final = {"TCP": ("tcp",), "UDP": ("udp",), "TCP_UDP": ("tcp", "udp")}
_OUTSIDE: Final = "all"
"""The zone of targets that are not in the VPC."""


async def apply(proxies: Proxies, served: ServedVpc) -> None:
    """Have the router of a VPC lead connections to the targets that are healthy now."""
    rules = list_rules(served.view, served.states)
    commands = _write_table(rules)
    if commands == served.balancing:
        return
    try:
        await proxies.keeper.call("filter", network=served.key[2], commands=commands)
    except KeeperError as error:
        if rules:
            log.warning("load balancers of %s do not preserve addresses of clients: %s", served.key[2], error)
    served.balancing = commands


def _write_table(rules: list[str]) -> str:
    """Return the commands for the router. Those that are there already are replaced."""
    # It comes before access lists and the translation of endpoints.
    chain = ["  chain before {", "    type nat hook prerouting priority -110;", *rules, "  }"]
    return "\n".join([f"add table {_TABLE}", f"delete table {_TABLE}", f"table {_TABLE} {{", *chain, "}", ""])


def list_rules(view: View, states: HealthStates) -> list[str]:
    """Return the rules that lead connections to targets, one a listener."""
    rules = []
    for balancer in view.load_balancers:
        for listener in balancer.listeners if balancer.addresses else ():
            group = _find_group(view, balancer, listener)
            targets = [] if group is None else _list_targets(group, states)
            if group is not None and targets:
                protocols = _PROTOCOLS[listener.description["Protocol"]]
                rules += [_write_rule(balancer, listener, group, targets, protocol) for protocol in protocols]
    return rules


def _find_group(view: View, balancer: LoadBalancer, listener: Listener) -> TargetGroup | None:
    """Return the target group of a listener whose clients keep their addresses, if any."""
    if balancer.is_application:
        return None
    groups = forwarding.list_groups(listener.description["DefaultActions"][0])
    found = view.target_groups.get(groups[0][0]) if len(groups) == 1 else None
    if found is None or listener.description["Protocol"] not in _PROTOCOLS:
        return None
    is_preserving = found.attributes.get("preserve_client_ip.enabled") == "true"
    has_header = found.attributes.get("proxy_protocol_v2.enabled") == "true"
    is_inside = found.description.get("TargetType") == "ip" and all(each.zone != _OUTSIDE for each in found.targets)
    return found if is_preserving and is_inside and not has_header else None


def _list_targets(group: TargetGroup, states: HealthStates) -> list[Target]:
    """Return the healthy targets of a group, or all where none is."""
    registered = [each for each in group.targets if each.address and each.draining_until is None]
    healthy = [each for each in registered if states.get(group.arn, each.address, each.port).state == "healthy"]
    return healthy or registered


def _write_rule(
    balancer: LoadBalancer, listener: Listener, group: TargetGroup, targets: list[Target], protocol: str
) -> str:
    addresses = [*balancer.addresses, *([balancer.machine_address] if balancer.machine_address else [])]
    met = f"ip daddr {{ {', '.join(addresses)} }} {protocol} dport {listener.description['Port']}"
    is_sticky = group.attributes.get("stickiness.enabled") == "true"
    choice = "jhash ip saddr" if is_sticky else "jhash ip saddr . udp sport" if protocol == "udp" else "numgen random"
    places = ", ".join(f"{index} : {each.address} . {each.port}" for index, each in enumerate(targets))
    number = make_number(IPv4Address(balancer.addresses[0]))
    return f"    {met} ct mark set {number} dnat ip to {choice} mod {len(targets)} map {{ {places} }}"
