"""The way out of a virtual network, by a transparent proxy.

It needs no rights over the machine's own network. The router leads connections to all other addresses to a socket of
its own. The proxy, which accepts them there, asks the kernel where they were to go, and connects from the machine's
own network. Programs in the network know nothing of it. It is for TCP only. The machine itself is out of reach:
loopback, link-local and all of its own addresses are refused.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from cloudlet.engines.network import relay
from cloudlet.store.eager import spawn

PORT: Final = 3129
_SO_ORIGINAL_DST: Final = 80
_ADDRESS: Final = struct.Struct("!HH4s8x")
_CONNECT_SECONDS: Final = 20.0
_TABLE: Final = "ip egress"


def write_rules(ranges: Iterable[IPv4Network], proxy: IPv4Address) -> str:
    """Return the commands that lead what leaves a network to its proxy.

    The network has ranges of addresses. Commands that are there already are replaced.
    """
    inside = ", ".join(map(str, ranges))
    return f"""
add table {_TABLE}
delete table {_TABLE}
table {_TABLE} {{
  chain before {{
    type nat hook prerouting priority dstnat;
    ip daddr != {{ {inside}, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 }} ip protocol tcp dnat to {proxy}:{PORT}
  }}
}}
"""


def write_removal() -> str:
    """Return the commands that close the way out."""
    return f"delete table {_TABLE}\n"


class Egress:
    """A proxy for the connections that leave a network."""

    def __init__(self, listener: socket.socket) -> None:
        """Take connections from a listener, which is closed with this."""
        self._forwarding = spawn(relay.forward(listener, _open))

    async def close(self) -> None:
        """End all connections."""
        self._forwarding.cancel()
        await asyncio.gather(self._forwarding, return_exceptions=True)


async def _open(connection: socket.socket) -> socket.socket | None:
    target = _get_target(connection)
    return None if target is None else await _connect(*target)


def _get_target(connection: socket.socket) -> tuple[IPv4Address, int] | None:
    """Return where a connection was to go, None where nobody may go there."""
    try:
        raw = connection.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, _ADDRESS.size)
    except OSError:
        return None
    _, port, packed = _ADDRESS.unpack(raw)
    address = IPv4Address(packed)
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return None
    return address, port


async def _connect(address: IPv4Address, port: int) -> socket.socket | None:
    """Connect from the machine's own network. Return None where that fails."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            made = await relay.connect(str(address), port)
    except (OSError, TimeoutError):
        return None
    if made.getsockname()[0] != str(address):
        return made
    # It leads to the machine itself: connections to an own address come from it, too.
    made.close()
    return None
