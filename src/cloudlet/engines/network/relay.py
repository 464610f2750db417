"""A proxy at a router's address, for connections that the router leads there.

It asks the kernel where each connection was to go, and connects from the machine's own network.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from cloudlet.store.eager import spawn

_SO_ORIGINAL_DST: Final = 80
_ADDRESS: Final = struct.Struct("!HH4s8x")
_CONNECT_SECONDS: Final = 20.0
_CHUNK_BYTES: Final = 64 * 1024


class Goal(NamedTuple):
    """The target of a connection, as its program named it, and its source."""

    address: IPv4Address
    port: int
    source: IPv4Address


Connect = Callable[[Goal], Awaitable[socket.socket | None]]
"""A function that connects to a goal. It returns None where nobody may go, or nothing answers."""


class Relay:
    """A proxy for connections that leave a network."""

    def __init__(self, listener: socket.socket, connect: Connect) -> None:
        """Take connections from a listener, which is closed with this."""
        self._listener = listener
        self._connect = connect
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
            goal = _find_goal(connection)
            outside = None if goal is None else await self._connect(goal)
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
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(made, (address, port))
    except (OSError, TimeoutError):
        made.close()
        return None
    except BaseException:
        made.close()
        raise
    return made


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
