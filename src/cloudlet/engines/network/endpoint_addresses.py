"""Endpoints: addresses of this machine for something in a virtual network.

Each is one of 127.64.0.0/10, so that the same string leads there from the machine itself, from programs in the network,
and from those in other networks (the page on networks). Programs have no addresses of that range of their own: what
they send there reaches their router. It leads to the endpoint's address in the same network by translation, and to all
others by a proxy, which is for TCP only.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from cloudlet.engines.network.security_groups import make_number

RANGE: Final = IPv4Network("127.64.0.0/10")
MACHINE: Final = IPv4Address("127.127.255.254")
"""The machine itself, for load balancers alone.

Containers in its own network are behind its ports.
"""
PORT: Final = 3128
_TABLE: Final = "ip endpoints"


def write_rules(inside: Mapping[IPv4Address, IPv4Address], proxy: IPv4Address) -> str:
    """Return the commands that lead to endpoints.

    Those of other networks are reached by the proxy.

    `inside` has the addresses in the network, by those of endpoints. Commands that are there already are replaced.
    """
    elements = ", ".join(f"{address} : {target}" for address, target in inside.items())
    numbers = ", ".join(f"{address} : {make_number(target)}" for address, target in inside.items())
    # The groups of load balancers see packets before they are translated (`security_groups`).
    marked = f"\n    meta mark set ip daddr map {{ {numbers} }}" if numbers else ""
    translated = f"\n    dnat to ip daddr map {{ {elements} }}" if elements else ""
    return f"""
add table {_TABLE}
delete table {_TABLE}
table {_TABLE} {{
  chain marked {{
    type filter hook prerouting priority -112;{marked}
  }}
  chain before {{
    type nat hook prerouting priority dstnat;{translated}
    ip daddr {RANGE} ip protocol tcp dnat to {proxy}:{PORT}
  }}
}}
"""
