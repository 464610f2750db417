"""Security groups of a virtual network, as packet filters in its router.

A group is a chain of rules for what comes in, one for what goes out, and a set of its members' addresses. Each
combination of groups has a chain that visits them; maps lead from addresses to these chains. What belongs to an allowed
connection passes; all else is dropped (VPC user guide, "Control traffic to your AWS resources using security groups").

A load balancer may have the router lead connections to targets, which then see their clients' own addresses. Its groups
are asked before, by its own address and port. The connection bears its number (`make_number`), so that the groups of
targets know it as a member of the load balancer's.

All filters are replaced as a whole, which takes the kernel some 20 ms: connections that stand go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

_MAX_TEXT_ADDRESSES: Final = 500
_PROTOCOLS: Final = {"tcp": "tcp", "udp": "udp", "icmp": "icmp"}
_TABLE: Final = "inet groups"
_BASE: Final = """
table %(table)s {
  map incoming { type ipv4_addr : verdict; }
  map outgoing { type ipv4_addr : verdict; }
  map balancers { type ipv4_addr : verdict; }
  map numbered { type mark : verdict; }
  chain balanced {
    type filter hook prerouting priority -111; policy accept;
    ct state established,related accept
    ip daddr vmap @balancers
    meta mark vmap @numbered
  }
  chain received {
    ip daddr vmap @incoming
    ip daddr != { %(inside)s } accept
    drop
  }
  chain leaving {
    type filter hook prerouting priority -101; policy accept;
    ct state established,related accept
    ip saddr { %(inside)s } ip daddr != { %(inside)s, 127.0.0.0/8, 169.254.0.0/16 } ip saddr vmap @outgoing
  }
  chain forwarded {
    type filter hook forward priority 0; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    ip saddr vmap @outgoing
    ip saddr != { %(inside)s } ip daddr vmap @incoming
  }
}
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A protocol with ports that a group lets through, and its peers."""

    protocol: str
    """tcp, udp, icmp, a protocol's number, or -1 for all."""
    first_port: int
    """Of icmp its type. -1: all."""
    last_port: int
    """Of icmp its code. -1: all."""
    peer: IPv4Network | str
    """A network, or the name of a group."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rules of a security group. `name` is an identifier of letters, digits and underscores."""

    name: str
    incoming: tuple[Rule, ...] = ()
    outgoing: tuple[Rule, ...] = ()


def make_number(balancer: IPv4Address) -> str:
    """Return the number of a load balancer, by its address.

    Packets for it bear it as their mark that came to another address of it, and connections that it leads elsewhere.
    """
    return f"{int(balancer):#x}"


def write_base(*ranges: IPv4Network) -> str:
    """Return the commands that set filters up for a network: nothing passes yet.

    Filters that are there already are replaced. Connections that leave the network, which has all of the ranges of
    addresses, are looked at before they are led to the proxy (`egress`).
    """
    table = {"table": _TABLE, "inside": ", ".join(map(str, ranges))}
    return f"add table {_TABLE}\ndelete table {_TABLE}\n{_BASE % table}"


def write_group(group: Group) -> str:
    """Return the commands that make a group, or change its rules."""
    lines = _write_sets(group.name)
    for direction, rules in (("in", group.incoming), ("out", group.outgoing)):
        chain = f"{direction}_{group.name}"
        lines += [f"add chain {_TABLE} {chain}", f"flush chain {_TABLE} {chain}"]
        for rule in rules:
            if isinstance(rule.peer, str):
                lines += _write_sets(rule.peer)
            lines += [f"add rule {_TABLE} {chain} {each}" for each in _write_rules(rule, direction)]
    return "\n".join(lines) + "\n"


def _write_sets(group: str) -> list[str]:
    sets = {"members": "ipv4_addr", "numbers": "mark"}
    return [f"add set {_TABLE} {name}_{group} {{ type {kind}; }}" for name, kind in sets.items()]


def _write_rules(rule: Rule, direction: str) -> list[str]:
    # What one group lets out is to be let in by the other side, too.
    if direction == "out":
        return [f"{write_match(rule, direction)} goto received"]
    own = [_write_match(rule, f"ct mark @numbers_{rule.peer}")] if isinstance(rule.peer, str) else []
    return [f"{each} accept" for each in (write_match(rule, direction), *own)]


def write_match(rule: Rule, direction: str) -> str:
    """Return the part of a rule that tells what it is for."""
    side = "saddr" if direction == "in" else "daddr"
    peer = f"@members_{rule.peer}" if isinstance(rule.peer, str) else str(rule.peer)
    return _write_match(rule, "" if peer == "0.0.0.0/0" else f"ip {side} {peer}")


def _write_match(rule: Rule, peer: str) -> str:
    parts = [peer] if peer else []
    protocol = _PROTOCOLS.get(rule.protocol, rule.protocol)
    if protocol in ("tcp", "udp"):
        ports = "" if rule.first_port < 0 else f"{protocol} dport {rule.first_port}-{rule.last_port}"
        parts.append(ports or f"meta l4proto {protocol}")
    elif protocol == "icmp":
        parts.append("meta l4proto icmp" if rule.first_port < 0 else f"icmp type {rule.first_port}")
        if rule.first_port >= 0 and rule.last_port >= 0:
            parts.append(f"icmp code {rule.last_port}")
    elif protocol != "-1":
        parts.append(f"meta l4proto {protocol}")
    return " ".join(parts)


def write_outsiders(group: str, addresses: Sequence[IPv4Address]) -> str:
    """Return the commands that make addresses of other networks members of a group."""
    elements = ", ".join(map(str, dict.fromkeys(addresses)))
    made = "\n".join([*_write_sets(group), ""])
    return f"{made}add element {_TABLE} members_{group} {{ {elements} }}\n" if elements else made


def write_members(
    members: Mapping[tuple[str, ...], Sequence[IPv4Address]], balancers: Set[IPv4Address] = frozenset()
) -> list[str]:
    """Return the commands that make addresses members of groups, by the groups of each.

    What has no groups lets all in and out. Each text is of some addresses, and comes after those that make the groups.
    `balancers` are those of load balancers.
    """
    texts = []
    for index, (groups, addresses) in enumerate(members.items()):
        for direction, passing in (("in", "accept"), ("out", "goto received")):
            chain = f"{direction}_of_{index}"
            last = "drop" if groups else passing
            rules = [
                f"add rule {_TABLE} {chain} {each}" for each in (*(f"jump {direction}_{name}" for name in groups), last)
            ]
            texts.append("\n".join([f"add chain {_TABLE} {chain}", *rules, ""]))
        for start in range(0, len(addresses), _MAX_TEXT_ADDRESSES):
            some = addresses[start : start + _MAX_TEXT_ADDRESSES]
            elements = ", ".join(map(str, some))
            lines = [f"add element {_TABLE} members_{group} {{ {elements} }}" for group in groups]
            for direction, map_name in (("in", "incoming"), ("out", "outgoing")):
                elements = ", ".join(f"{each} : goto {direction}_of_{index}" for each in some)
                lines.append(f"add element {_TABLE} {map_name} {{ {elements} }}")
            lines += _write_balancers(groups, [each for each in some if each in balancers], f"in_of_{index}")
            texts.append("\n".join([*lines, ""]))
    return texts


def _write_balancers(groups: Sequence[str], addresses: Sequence[IPv4Address], chain: str) -> list[str]:
    """Return the commands that have load balancers known to their groups and chain."""
    if not addresses:
        return []
    numbers = ", ".join(map(make_number, addresses))
    lines = [f"add element {_TABLE} numbers_{group} {{ {numbers} }}" for group in groups]
    for map_name, keys in (("balancers", map(str, addresses)), ("numbered", map(make_number, addresses))):
        elements = ", ".join(f"{each} : goto {chain}" for each in keys)
        lines.append(f"add element {_TABLE} {map_name} {{ {elements} }}")
    return lines
