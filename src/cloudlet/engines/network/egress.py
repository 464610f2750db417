"""The way out of a virtual network, by a transparent proxy.

It needs no rights over the machine's own network. The router leads connections to all other addresses to a socket of
its own, where a proxy (`transparent_proxy`) takes them. Programs in the network know nothing of it. It is for TCP;
`datagram_egress` is for UDP. The machine itself is out of reach: loopback, link-local and all of its own addresses are
refused.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from cloudlet.engines.network.router import PROXY_MARK
from cloudlet.engines.network.transparent_proxy import Goal, open_connection

PORT: Final = 3129
_TABLE: Final = "ip egress"


def write_rules(ranges: Iterable[IPv4Network], proxy: IPv4Address, datagram_port: int = 0) -> str:
    """Return the commands that lead what leaves a network to its proxies.

    The network has ranges of addresses. Datagrams are led to a port, if one is given. Commands that are there already
    are replaced.
    """
    outside = f"ip daddr != {{ {', '.join(map(str, ranges))}, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 }}"
    datagrams = f"{outside} meta l4proto udp tproxy to :{datagram_port} meta mark set {PROXY_MARK} accept"
    return f"""
add table {_TABLE}
delete table {_TABLE}
table {_TABLE} {{
  chain before {{
    type nat hook prerouting priority dstnat;
    {outside} ip protocol tcp dnat to {proxy}:{PORT}
  }}
  chain datagrams {{
    type filter hook prerouting priority -99;
    {datagrams if datagram_port else ""}
  }}
}}
"""


def write_removal() -> str:
    """Return the commands that close the way out."""
    return f"delete table {_TABLE}\n"


async def connect(goal: Goal) -> socket.socket | None:
    """Connect to the outside. Return None where nobody may go, and where nothing answers."""
    address = goal.address
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return None
    made = await open_connection(str(address), goal.port)
    if made is not None and made.getsockname()[0] == str(address):
        # It leads to the machine itself: connections to an own address come from it, too.
        made.close()
        return None
    return made
