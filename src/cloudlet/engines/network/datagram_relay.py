"""Relays of datagrams.

Those of each sender go on from a socket of its own, by which answers come back.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, cast

_IDLE_SECONDS: Final = 60.0
_MAX_SENDERS: Final = 1000
_MAX_WAITING_DATAGRAMS: Final = 100
Open = Callable[[], Awaitable["socket.socket | None"]]
"""Return a socket that is connected to the receiver, None where there is none. Raises OSError."""


async def forward(listener: socket.socket, open_other: Open) -> None:
    """Pass on all datagrams that come to a socket, which is closed at the end."""
    loop = asyncio.get_running_loop()
    receiver = _Receiver(open_other)
    transport, _ = await loop.create_datagram_endpoint(lambda: receiver, sock=listener)
    try:
        await loop.create_future()
    finally:
        transport.close()
        receiver.close()


class _Receiver(asyncio.DatagramProtocol):
    """The receiver of datagrams of all senders."""

    def __init__(self, open_other: Open) -> None:
        self._open = open_other
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[Any, asyncio.Queue[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        queue = self._waiting.get(addr)
        if queue is None:
            if len(self._waiting) >= _MAX_SENDERS:
                return
            queue = self._waiting[addr] = asyncio.Queue(_MAX_WAITING_DATAGRAMS)
            task = asyncio.get_running_loop().create_task(self._serve(addr, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # What comes too quickly is lost, as datagrams may be.
        with suppress(asyncio.QueueFull):
            queue.put_nowait(data)

    async def _serve(self, sender: Any, queue: asyncio.Queue[bytes]) -> None:
        """Pass on the datagrams of a sender until it has been quiet for a while."""
        try:
            with suppress(OSError, TimeoutError):
                other = await self._open()
                if other is not None:
                    answers = _Answers(self._transport, sender)
                    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                        lambda: answers, sock=other
                    )
                    try:
                        while True:
                            transport.sendto(await asyncio.wait_for(queue.get(), _IDLE_SECONDS))
                    finally:
                        transport.close()
        finally:
            del self._waiting[sender]

    def close(self) -> None:
        """Pass on nothing more."""
        for each in self._tasks:
            each.cancel()


class _Answers(asyncio.DatagramProtocol):
    """The receiver of what a sender is answered."""

    def __init__(self, transport: asyncio.DatagramTransport | None, sender: Any) -> None:
        self._transport = transport
        self._sender = sender

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._transport is not None:
            self._transport.sendto(data, self._sender)
