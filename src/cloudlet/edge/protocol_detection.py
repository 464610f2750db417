"""TLS and plain HTTP on one port: the first byte of a connection tells which it is (RFC 8446, section 5.1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from socket import MSG_PEEK, socket
from ssl import SSLContext
from typing import TYPE_CHECKING, Final

from cloudlet.edge.server_name import read_server_name

if TYPE_CHECKING:
    from cloudlet.edge.served_certificates import ServedCertificates

log = logging.getLogger("cloudlet.edge")

_HANDSHAKE: Final = b"\x16"
"""The first byte of a TLS client's first record. No HTTP request begins with it."""
_HELLO_BYTES: Final = 16 << 10
"""A TLS client's first record is no longer, with what is around it."""
_HELLO_SECONDS: Final = 1.0
"""How long the rest of it is waited for; after that it gets the front door's own certificate."""
_LOOK_SECONDS: Final = 0.01
_ACCEPTED_AT_ONCE: Final = 100
_PAUSE_SECONDS: Final = 1.0
"""The pause after the system has refused to accept: it has no descriptors left."""


class DetectingListener:
    """Accepts connections and gives each a protocol, behind TLS where the client speaks that."""

    def __init__(
        self,
        listening: socket,
        tls: SSLContext | ServedCertificates,
        connected: Callable[[], asyncio.Protocol],
        *,
        patience: float,
        limit: int,
    ) -> None:
        """`tls`: one certificate for all, or those of domains too.

        `patience`: the seconds that a client has for its first byte. `limit`: how many may owe it at a time."""
        self._listening = listening
        self._tls = tls
        self._connected = connected
        self._patience = patience
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._silent: dict[socket, asyncio.TimerHandle] = {}
        """Connections whose first byte has not come, and when they are given up."""
        self._handshakes: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self._loop.add_reader(listening.fileno(), self._accept)

    def close(self) -> None:
        """Accept nothing more, and hang up on those that have said nothing yet."""
        self._loop.remove_reader(self._listening.fileno())
        self._listening.close()
        if self._resuming is not None:
            self._resuming.cancel()
        for connection in list(self._silent):
            self._give_up(connection)
        for handshake in self._handshakes:
            handshake.cancel()

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("cannot accept connections: %s", error)
                self._loop.remove_reader(self._listening.fileno())
                self._resuming = self._loop.call_later(_PAUSE_SECONDS, self._resume)
                return
            if len(self._silent) >= self._limit:
                connection.close()
                continue
            connection.setblocking(False)
            self._silent[connection] = self._loop.call_later(self._patience, self._give_up, connection)
            self._loop.add_reader(connection.fileno(), self._detect, connection)

    def _resume(self) -> None:
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def _detect(self, connection: socket) -> None:
        try:
            first = connection.recv(1, MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self._give_up(connection)
            return
        self._forget(connection)
        handshake = self._loop.create_task(self._connect(connection, is_secure=first == _HANDSHAKE))
        self._handshakes.add(handshake)
        handshake.add_done_callback(self._handshakes.discard)

    async def _choose(self, connection: socket) -> SSLContext:
        """Return what a client is shown that begins a handshake."""
        served = self._tls
        if isinstance(served, SSLContext):
            return served
        end = self._loop.time() + _HELLO_SECONDS
        while served.has_any:
            host = read_server_name(connection.recv(_HELLO_BYTES, MSG_PEEK))
            if host is not None:
                return await served.find(host)
            if self._loop.time() > end:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return served.own

    async def _connect(self, connection: socket, *, is_secure: bool) -> None:
        try:
            tls = await self._choose(connection) if is_secure else None
            await self._loop.connect_accepted_socket(
                self._connected, connection, ssl=tls, ssl_handshake_timeout=self._patience if tls else None
            )
        except OSError as error:
            # Of a client that does not trust the certificate, that is all that is heard.
            log.info("no connection with a client: %s", error)
            connection.close()

    def _give_up(self, connection: socket) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: socket) -> None:
        self._silent.pop(connection).cancel()
        with suppress(OSError):
            self._loop.remove_reader(connection.fileno())
