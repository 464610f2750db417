"""The way of datagrams (UDP) from this machine to an endpoint in a virtual network.

Envoys get sockets of the machine for connections, but not for datagrams: one that takes sockets over reads none before
its predecessor has ended. The keeper has the machine's socket instead, and sends on what comes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from cloudlet.engines.network.datagram_flows import BATCH, MAX_DATAGRAM_BYTES, Address, Flow, Flows

IDLE_SECONDS: Final = 120.0
OpenInner = Callable[[], Awaitable[socket.socket]]
"""A function that makes a socket in the network. Raises OSError."""


class _Relay:
    """A client's socket in the network; replies go back by the one that all share."""

    def __init__(self, inner: socket.socket, outside: socket.socket, client: Address) -> None:
        self._inner = inner
        self._outside = outside
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.last_used = self._loop.time()
        self._loop.add_reader(inner, self._answer)

    def send(self, datagram: bytes) -> None:
        self.last_used = self._loop.time()
        with suppress(OSError):
            self._inner.send(datagram)

    def _answer(self) -> None:
        self.last_used = self._loop.time()
        with suppress(OSError):
            for _ in range(BATCH):
                self._outside.sendto(self._inner.recv(MAX_DATAGRAM_BYTES), self._client)

    def close(self) -> None:
        self._loop.remove_reader(self._inner)
        self._inner.close()


class DatagramIngress:
    """A proxy from a socket of this machine to an address in a network."""

    def __init__(self, outside: socket.socket, target: Address, open_inner: OpenInner) -> None:
        """Take datagrams from a socket, which is closed with this."""
        self._outside = outside
        self._target = target
        self._open_inner = open_inner
        self._flows = Flows(self._open, IDLE_SECONDS)
        asyncio.get_running_loop().add_reader(outside, self._receive)

    def _receive(self) -> None:
        with suppress(OSError):
            for _ in range(BATCH):
                datagram, client = self._outside.recvfrom(MAX_DATAGRAM_BYTES)
                self._flows.take(Flow(client, self._target), datagram)

    async def _open(self, flow: Flow) -> _Relay:
        inner = await self._open_inner()
        try:
            inner.connect(flow.target)
        except BaseException:
            inner.close()
            raise
        return _Relay(inner, self._outside, flow.program)

    async def close(self) -> None:
        """End all flows."""
        asyncio.get_running_loop().remove_reader(self._outside)
        await self._flows.close()
        self._outside.close()
