"""A proxy at a router's address, for connections that the router leads there.

It asks the kernel where each connection was to go, and connects from the machine's own network.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from cloudlet.engines.network import relay
from cloudlet.store.eager import spawn

_SO_ORIGINAL_DST: Final = 80
_ADDRESS: Final = struct.Struct("!HH4s8x")
_CONNECT_SECONDS: Final = 20.0


class Goal(NamedTuple):
    """The target of a connection, as its program named it, and its source."""

    address: IPv4Address
    port: int
    source: IPv4Address


Connect = Callable[[Goal], Awaitable[socket.socket | None]]
"""A function that connects to a goal. It returns None where nobody may go, or nothing answers."""


class TransparentProxy:
    """A proxy for connections that leave a network."""

    def __init__(self, listener: socket.socket, connect: Connect) -> None:
        """Take connections from a listener, which is closed with this."""

        async def open_other(connection: socket.socket) -> socket.socket | None:
            goal = _find_goal(connection)
            if goal is None or str(goal.address) == listener.getsockname()[0]:
                # One that was made to the proxy itself has no goal.
                return None
            return await connect(goal)

        self._forwarding = spawn(relay.forward(listener, open_other))

    async def close(self) -> None:
        """End all connections."""
        self._forwarding.cancel()
        await asyncio.gather(self._forwarding, return_exceptions=True)


def _find_goal(connection: socket.socket) -> Goal | None:
    try:
        raw = connection.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, _ADDRESS.size)
        source = connection.getpeername()[0]
    except OSError:
        return None
    _, port, packed = _ADDRESS.unpack(raw)
    return Goal(IPv4Address(packed), port, IPv4Address(source))


async def open_connection(address: str, port: int) -> socket.socket | None:
    """Connect from the machine's own network. Return None where that fails."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await relay.connect(address, port)
    except (OSError, TimeoutError):
        return None
