"""The HTTP/1.1 server: it listens, and each client gets a connection."""

from __future__ import annotations

import asyncio
import time
from socket import AF_UNIX, socket
from typing import TYPE_CHECKING

from cloudlet.edge.clients import Clients, Limits
from cloudlet.edge.connection import Connection
from cloudlet.edge.exchange import Handler
from cloudlet.edge.listeners import BACKLOG
from cloudlet.edge.protocol_detection import DetectingListener

if TYPE_CHECKING:
    from ssl import SSLContext

    from cloudlet.edge.served_certificates import ServedCertificates


class HttpServer:
    """Listens, hangs up on slow clients, stops gracefully."""

    def __init__(self, handler: Handler, limits: Limits | None = None) -> None:
        self.clients = Clients(handler, limits or Limits())
        self._servers: list[asyncio.Server | DetectingListener] = []
        self._ticker: asyncio.Task[None] | None = None

    async def listen(
        self, listening: socket, tls: SSLContext | ServedCertificates | None = None, *, forwarded: bool = False
    ) -> None:
        """Accept connections from a socket that listens, or is bound at least; with `tls`, both TLS and plain HTTP.

        `forwarded`: only our own front door reaches it, and is believed who a request came from.
        """
        loop = asyncio.get_running_loop()

        def connected() -> Connection:
            return Connection(self.clients, forwarded=forwarded)

        if tls is not None:
            limits = self.clients.limits
            listening.listen(BACKLOG)
            self._servers.append(
                DetectingListener(listening, tls, connected, patience=limits.head_time, limit=limits.connections)
            )
        elif listening.family == AF_UNIX:
            self._servers.append(await loop.create_unix_server(connected, sock=listening, backlog=BACKLOG))
        else:
            self._servers.append(await loop.create_server(connected, sock=listening, backlog=BACKLOG))
        if self._ticker is None:
            self._ticker = loop.create_task(self._check_connections())

    async def stop(self, seconds: float = 10.0) -> None:
        """Stop listening, answer what was accepted (for up to `seconds`), close."""
        self.clients.stopping = True
        for server in self._servers:
            server.close()
        for connection in list(self.clients.connections):
            connection.stop()
        deadline = time.monotonic() + seconds
        while self.clients.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self.clients.connections):
            connection.close()
        if self._ticker is not None:
            self._ticker.cancel()

    async def _check_connections(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.clients.check()
