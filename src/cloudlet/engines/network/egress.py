"""The way out of a virtual network, by a transparent proxy.

It needs no rights over the machine's own network. The router leads connections to all other addresses to a socket of
its own. The proxy, which accepts them there, asks the kernel where they were to go, and connects from the machine's
own network. Programs in the network know nothing of it. It is for TCP; `datagram_egress` is for UDP. The machine itself
is out of reach: loopback, link-local and all of its own addresses are refused.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from cloudlet.engines.network.router import PROXY_MARK
from cloudlet.store.eager import spawn

PORT: Final = 3129
_SO_ORIGINAL_DST: Final = 80
_ADDRESS: Final = struct.Struct("!HH4s8x")
_CONNECT_SECONDS: Final = 20.0
_CHUNK_BYTES: Final = 64 * 1024
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


class Egress:
    """A proxy for the connections that leave a network."""

    def __init__(self, listener: socket.socket) -> None:
        """Take connections from a listener, which is closed with this."""
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = spawn(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            task = spawn(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            target = _get_target(connection)
            outside = None if target is None else await _connect(*target)
            if outside is None:
                return
            with outside:
                await _relay(connection, outside)

    async def close(self) -> None:
        """End all connections."""
        for task in (self._accepting, *self._tasks):
            task.cancel()
        await asyncio.gather(self._accepting, *self._tasks, return_exceptions=True)
        self._listener.close()


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
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(made, (str(address), port))
        if made.getsockname()[0] != str(address):
            return made
        # It leads to the machine itself: connections to an own address come from it, too.
    except (OSError, TimeoutError):
        pass
    made.close()
    return None


async def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either side sends, until both have ended."""
    one.setblocking(False)
    directions = [spawn(_copy(one, other)), spawn(_copy(other, one))]
    try:
        done, _ = await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
        for each in done:
            with suppress(OSError):
                each.result()
    finally:
        for each in directions:
            each.cancel()


async def _copy(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    while size := await loop.sock_recv_into(source, buffer):
        await loop.sock_sendall(sink, view[:size])
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
