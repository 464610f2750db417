"""Names in bridge networks: queries go on to the machine's name server, as with Docker."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

_SETTINGS: Final = Path("/etc/resolv.conf")
_PORT: Final = 53
_ANSWER_SECONDS: Final = 5.0
_MAX_QUERIES: Final = 1000


def find_name_server() -> str | None:
    """Return the machine's name server, None where it has none. Waits for the disk."""
    try:
        lines = _SETTINGS.read_text(errors="replace").splitlines()
    except OSError:
        return None
    servers = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    return servers[0] if servers else None


async def forward(listener: socket.socket) -> None:
    """Pass on the queries that come to a socket, which is closed at the end."""
    server = await asyncio.to_thread(find_name_server)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Queries(server), sock=listener)
    try:
        await loop.create_future()
    finally:
        transport.close()
        protocol.close()


class _Queries(asyncio.DatagramProtocol):
    """The receiver of queries."""

    def __init__(self, server: str | None) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None
        self._asked: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._server is not None and len(self._asked) < _MAX_QUERIES:
            work = asyncio.get_running_loop().create_task(self._ask(self._server, data, addr))
            self._asked.add(work)
            work.add_done_callback(self._asked.discard)

    async def _ask(self, server: str, query: bytes, client: Any) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        with suppress(OSError, TimeoutError):
            transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(answer), remote_addr=(server, _PORT))
            try:
                transport.sendto(query)
                async with asyncio.timeout(_ANSWER_SECONDS):
                    said = await answer
                if self._transport is not None:
                    self._transport.sendto(said, client)
            finally:
                transport.close()

    def close(self) -> None:
        """Give up queries that are not answered."""
        self._transport = None
        for each in self._asked:
            each.cancel()


class _Answer(asyncio.DatagramProtocol):
    """The receiver of an answer."""

    def __init__(self, answer: asyncio.Future[bytes]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(OSError(str(exc)))
