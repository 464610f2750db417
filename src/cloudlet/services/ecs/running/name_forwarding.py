"""Names in bridge networks: queries go on to the machine's name server, as with Docker."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

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
    loop = asyncio.get_running_loop()
    asked: set[asyncio.Task[None]] = set()
    try:
        server = await asyncio.to_thread(find_name_server)
        while server is not None:
            query, client = await loop.sock_recvfrom(listener, 4096)
            if len(asked) < _MAX_QUERIES:
                work = loop.create_task(_ask(listener, server, query, client))
                asked.add(work)
                work.add_done_callback(asked.discard)
    finally:
        for each in asked:
            each.cancel()
        listener.close()


async def _ask(listener: socket.socket, server: str, query: bytes, client: Any) -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    with suppress(OSError, TimeoutError):
        transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(answer), remote_addr=(server, _PORT))
        try:
            transport.sendto(query)
            async with asyncio.timeout(_ANSWER_SECONDS):
                await loop.sock_sendto(listener, await answer, client)
        finally:
            transport.close()


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
