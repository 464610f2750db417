"""Boundaries of a virtual network and its subnets, as packet filters in its router.

Routes tell who may leave the network, and where to (VPC User Guide, "Configure route tables"). Access lists filter what
crosses the boundary of a subnet, without a memory of connections: replies need rules, too (VPC User Guide, "Control
subnet traffic with network access control lists").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from cloudlet.engines.network.security_groups import Rule, write_match

_ROUTES: Final = "inet routes"
_LISTS: Final = "inet access_lists"
_REFUSAL: Final = "inet refusal"
_MAX_TEXT_ROUTES: Final = 500
_OWN: Final = "127.0.0.0/8, 169.254.0.0/16"
"""The addresses of services of the network itself, which are reached always."""


def write_routes(ranges: Sequence[IPv4Network], outward: Sequence[tuple[IPv4Address, IPv4Network]]) -> list[str]:
    """Return the commands by which some addresses alone leave a network.

    Each does for some destinations, which do not overlap. The first text replaces what is there, others add to it.
    """
    inside = ", ".join(map(str, ranges))
    texts = [
        f"""
add table {_ROUTES}
delete table {_ROUTES}
table {_ROUTES} {{
  set outward {{ type ipv4_addr . ipv4_addr; flags interval; }}
  chain leaving {{
    type filter hook prerouting priority -102; policy accept;
    ip saddr != {{ {inside} }} accept
    ip daddr {{ {inside}, {_OWN} }} accept
    ct state established,related accept
    ip saddr . ip daddr @outward accept
    drop
  }}
}}
"""
    ]
    for start in range(0, len(outward), _MAX_TEXT_ROUTES):
        some = outward[start : start + _MAX_TEXT_ROUTES]
        pairs = ", ".join(f"{address} . {network[0]}-{network[-1]}" for address, network in some)
        texts.append(f"add element {_ROUTES} outward {{ {pairs} }}\n")
    return texts


@dataclass(frozen=True, slots=True)
class ListRule:
    """A rule of an access list."""

    rule: Rule
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class AccessList:
    """The rules of an access list in their order. What none is for is denied."""

    incoming: tuple[ListRule, ...] = ()
    outgoing: tuple[ListRule, ...] = ()


def write_refusal() -> str:
    """Return the commands by which nobody connects to an interface. They are for its own namespace."""
    return f"""
add table {_REFUSAL}
delete table {_REFUSAL}
table {_REFUSAL} {{
  chain arriving {{
    type filter hook input priority 0; policy accept;
    iifname "eth0" ct state new drop
  }}
}}
"""


def write_access_lists(lists: Mapping[IPv4Network, AccessList], resolver: IPv4Address) -> str:
    """Return the commands that have subnets filter what comes and goes. Those that are not named let all through."""
    chains, leaving, arriving = [], [], []
    for index, (subnet, given) in enumerate(lists.items()):
        near = f"{{ {subnet}, {resolver}, {_OWN} }}"
        leaving.append(f"    ip saddr {subnet} ip daddr != {near} goto out_{index}")
        arriving.append(f"    ip daddr {subnet} ip saddr != {near} goto in_{index}")
        for direction, rules in (("out", given.outgoing), ("in", given.incoming)):
            lines = [f"    {write_match(each.rule, direction)} {_write_verdict(each)}" for each in rules]
            chains.append("\n".join([f"  chain {direction}_{index} {{", *lines, "    drop", "  }"]))
    # Where connections are led to the proxy and back, addresses are those of the other side in both hooks.
    base = [
        "  chain leaving {",
        "    type filter hook prerouting priority -103; policy accept;",
        *leaving,
        "  }",
        "  chain arriving {",
        "    type filter hook postrouting priority 300; policy accept;",
        *arriving,
        "  }",
    ]
    text = "\n".join([f"table {_LISTS} {{", *chains, *base, "}"])
    return f"add table {_LISTS}\ndelete table {_LISTS}\n{text}\n"


def _write_verdict(rule: ListRule) -> str:
    return "accept" if rule.is_allowed else "drop"
