"""Functions of addresses. User guide, "IP address string functions"."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.sql import Kind, Sql, once
from cloudlet.services.logs.insights.syntax import Call, Text

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PRIVATE: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918."""
_RESERVED: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24"),
            *("192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
            *("::/127", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
            *("fc00::/7", "fe80::/10", "ff00::/8"),
        ),
    )
)
"""IANA's special-purpose addresses but private ones, and those of groups."""


def in_subnet(call: Call, given: Sequence[Sql], versions: tuple[int, ...]) -> Sql:
    """Return SQL for whether an address is in a subnet of one of some versions. Raises QueryProblem."""
    subnet = call.arguments[1]
    if not isinstance(subnet, Text):
        raise QueryProblem(f"{call.name} needs a subnet as a quoted text", subnet.span.start, subnet.span.end)
    try:
        network = ipaddress.ip_network(subnet.value, strict=False)
    except ValueError:
        raise QueryProblem(f"{subnet.value} is no subnet", subnet.span.start, subnet.span.end) from None
    if network.version not in versions:
        raise QueryProblem(f"{subnet.value} is of the other version", subnet.span.start, subnet.span.end)
    return _truth(_within([network]), given)


def is_private(given: Sequence[Sql]) -> Sql:
    return _truth(_within(_PRIVATE), given)


def is_reserved(given: Sequence[Sql]) -> Sql:
    return _truth(_within(_RESERVED), given)


def is_public(given: Sequence[Sql]) -> Sql:
    is_address = "(insights_ip4({0}) IS NOT NULL OR insights_ip6({0}) IS NOT NULL)"
    return _truth(f"{is_address} AND NOT coalesce({_within((*_PRIVATE, *_RESERVED))}, false)", given)


def as_number(given: Sequence[Sql]) -> Sql:
    return Sql(once("CAST(insights_ip4({0}) AS DOUBLE)", given[0].shown), Kind.NUMBER)


def _truth(form: str, given: Sequence[Sql]) -> Sql:
    return Sql(f"coalesce({once(form, given[0].shown)}, false)", Kind.TRUTH)


def _within(networks: Iterable[_Network]) -> str:
    """Return the form of SQL for whether an address is in one of some networks."""
    ranges: dict[int, list[str]] = {4: [], 6: []}
    for one in networks:
        first, last = int(one.network_address), int(one.broadcast_address)
        bounds = f"{first} AND {last}" if one.version == 4 else f"'{first:032x}' AND '{last:032x}'"
        ranges[one.version].append(f"a BETWEEN {bounds}")
    forms = [
        f"coalesce(list_transform([insights_ip{version}({{0}})], lambda a: {' OR '.join(some)})[1], false)"
        for version, some in ranges.items()
        if some
    ]
    return f"({' OR '.join(forms)})"
