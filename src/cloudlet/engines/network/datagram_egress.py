"""The way out of a virtual network for datagrams (UDP), by a transparent proxy.

As for connections (`egress`), programs know nothing of it. The kernel hands a datagram to the proxy with the address
that it was for (TPROXY). The proxy then has a pair of sockets: one in the router that has this address and is connected
with the program, to which the kernel hands all that follows; and one in the machine's own network.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from cloudlet.engines.network.datagram_flows import BATCH, MAX_DATAGRAM_BYTES, Address, Flow, Flows

PORT: Final = 3130
IDLE_SECONDS: Final = 60.0
_IP_TRANSPARENT: Final = 19
_IP_ORIGDSTADDR: Final = 20
_ADDRESS: Final = struct.Struct("!2xH4s8x")

OpenInner = Callable[[Callable[[], socket.socket]], Awaitable[socket.socket]]
"""A function that has another one make a socket in the router. Raises OSError."""


def listen() -> socket.socket:
    """Return the socket that gets the first datagrams of flows. To be called in the router. Raises OSError."""
    made = _open_transparent(("0.0.0.0", PORT))  # noqa: S104 - of a namespace without other networks
    made.setsockopt(socket.SOL_IP, _IP_ORIGDSTADDR, 1)
    return made


def _open_transparent(address: Address) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


def _open_inner(flow: Flow) -> socket.socket:
    made = _open_transparent(flow.target)
    try:
        made.connect(flow.program)
    except BaseException:
        made.close()
        raise
    return made


def _open_outside(target: Address) -> socket.socket | None:
    """Return a socket for an address outside, None where that is the machine's own."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.connect(target)
        # What is sent to an own address comes from it, too.
        if made.getsockname()[0] != target[0]:
            return made
    except OSError:
        pass
    made.close()
    return None


class _Relay:
    """A flow's pair of sockets."""

    def __init__(self, inner: socket.socket, outside: socket.socket) -> None:
        self._sockets = (inner, outside)
        self._loop = asyncio.get_running_loop()
        self.last_used = self._loop.time()
        self._loop.add_reader(inner, self._pass_on, inner, outside)
        self._loop.add_reader(outside, self._pass_on, outside, inner)

    def send(self, datagram: bytes) -> None:
        """Send a datagram outside."""
        with suppress(OSError):
            self._sockets[1].send(datagram)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        self.last_used = self._loop.time()
        # That nobody listens at the other end is told by an error of the next call, once.
        with suppress(OSError):
            for _ in range(BATCH):
                sink.send(source.recv(MAX_DATAGRAM_BYTES))

    def close(self) -> None:
        for each in self._sockets:
            self._loop.remove_reader(each)
            each.close()


class DatagramEgress:
    """A proxy for the datagrams that leave a network."""

    def __init__(self, listener: socket.socket, open_inner: OpenInner) -> None:
        """Take datagrams from a listener, which is closed with this."""
        self._listener = listener
        self._open_inner = open_inner
        self._flows = Flows(self._open, IDLE_SECONDS)
        asyncio.get_running_loop().add_reader(listener, self._receive)

    def _receive(self) -> None:
        with suppress(OSError):
            for _ in range(BATCH):
                datagram, about, _, program = self._listener.recvmsg(
                    MAX_DATAGRAM_BYTES, socket.CMSG_SPACE(_ADDRESS.size)
                )
                for level, kind, content in about:
                    if (level, kind) == (socket.SOL_IP, _IP_ORIGDSTADDR):
                        port, packed = _ADDRESS.unpack(content[: _ADDRESS.size])
                        self._flows.take(Flow(program, (socket.inet_ntoa(packed), port)), datagram)

    async def _open(self, flow: Flow) -> _Relay | None:
        outside = _open_outside(flow.target)
        if outside is None:
            return None
        try:
            return _Relay(await self._open_inner(lambda: _open_inner(flow)), outside)
        except BaseException:
            outside.close()
            raise

    async def close(self) -> None:
        """End all flows."""
        asyncio.get_running_loop().remove_reader(self._listener)
        await self._flows.close()
        self._listener.close()
