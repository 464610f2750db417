"""The HTTP/1.1 server: it listens, and each client gets a connection."""

from __future__ import annotations

import asyncio
import time
from socket import AF_UNIX, socket
from typing import TYPE_CHECKING

from cloudlet.edge.clients import Clients, Limits
from cloudlet.edge.connection import Connection
from cloudlet.edge.exchange import Exchange, Handler
from cloudlet.edge.flow import discard
from cloudlet.edge.protocol_detection import DetectingListener
from cloudlet.edge.sockets import BACKLOG
from cloudlet.wire.http import HttpResponse

if TYPE_CHECKING:
    from ssl import SSLContext


class HttpServer:
    """Listens, adopts connections from elsewhere, hangs up on the slow, stops gracefully."""

    def __init__(self, handler: Handler, limits: Limits | None = None) -> None:
        self.clients = Clients(handler, limits or Limits())
        self._servers: list[asyncio.Server | DetectingListener] = []
        self._ticker: asyncio.Task[None] | None = None

    async def listen(self, listening: socket, tls: SSLContext | None = None, *, forwarded: bool = False) -> None:
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

    async def adopt(
        self,
        connection: socket,
        read: bytes,
        *,
        stays: bool,
        answered: tuple[Exchange, HttpResponse] | None = None,
    ) -> None:
        """Go on with a connection from elsewhere: send the response to what was asked there, answer what was read."""

        def begin(made: Connection) -> None:
            if answered is not None:
                exchange, response = answered
                made.answer(exchange.request, exchange.keep_alive, response)
            if read:
                made.data_received(read)
            elif self.clients.stopping:
                made.stop()

        made = Connection(self.clients, stays=stays, begin=begin)
        has_gone = False
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: made, connection)
        except OSError:
            # The client has gone meanwhile.
            connection.close()
            has_gone = True
        if has_gone and answered is not None:
            await discard(answered[1].body)

    async def stop(self, seconds: float = 10.0) -> None:
        """Stop listening, answer what was accepted (for up to `seconds`), close."""
        self.clients.stopping = True
        for server in self._servers:
            server.close()
        if self.clients.relief is not None:
            await self.clients.relief.close(seconds)
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
