"""The DNS server, which answers on a socket for datagrams and one for connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address
from socket import SO_RCVBUF, SOL_SOCKET, socket
from typing import Any, Final

from cloudlet.engines.dns.dns_query import Address, MalformedQuery, Query, is_query, parse_query
from cloudlet.engines.dns.dns_reply import SERVFAIL, Reply, make_error, make_message, make_refusal

log = logging.getLogger("cloudlet.dns")

Answer = Callable[[Query, Address], "Reply | Awaitable[Reply]"]
"""Returns the reply to a query of a client: at once where it is known."""

MAX_WAITING_QUERIES: Final = 2_000
"""Queries whose replies are not known yet. Those beyond are dropped, and clients ask again."""
MAX_CONNECTIONS: Final = 1_000
MAX_PIPELINED_QUERIES: Final = 64
"""Queries of a connection that wait for their replies; it is not read further meanwhile."""
_IDLE_SECONDS: Final = 10.0
_RECEIVED_BYTES: Final = 4 << 20


class DnsServer:
    """Answers on two sockets. It closes copies of them only."""

    def __init__(self, answer: Answer, datagrams: socket, listening: socket, *, is_recursive: bool = False) -> None:
        """Make a server. One that `is_recursive` says of its replies that they are a resolver's."""
        self._answer = answer
        self._datagrams = datagrams
        self._listening = listening
        self._is_recursive = is_recursive
        self._connections: dict[_Connection, None] = {}
        """The one that has been silent for longest is the first."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer, for ever."""
        loop = asyncio.get_running_loop()
        own = self._datagrams.dup()
        own.setsockopt(SOL_SOCKET, SO_RCVBUF, _RECEIVED_BYTES)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=own)
        try:
            server = await loop.create_server(lambda: _Connection(self), sock=self._listening.dup())
            try:
                await loop.create_future()
            finally:
                server.close()
        finally:
            transport.close()
            for connection in list(self._connections):
                connection.close()
            for task in list(self._tasks):
                task.cancel()

    def answer(
        self, message: bytes, host: str, send: Callable[[bytes], None], *, is_datagram: bool
    ) -> asyncio.Task[None] | None:
        """Send the reply to a message; return the task that does so later, if any."""
        try:
            query = parse_query(message, is_datagram)
        except MalformedQuery as error:
            send(make_error(message, error.rcode, error.question))
            return None
        reply: Reply | Awaitable[Reply]
        try:
            reply = self._answer(query, ip_address(host.partition("%")[0]))
        except Exception:
            log.exception("no reply to %r", query)
            reply = make_refusal(SERVFAIL)
        if isinstance(reply, Reply):
            send(make_message(query, message[:2], reply, is_datagram=is_datagram, is_recursive=self._is_recursive))
            return None
        if is_datagram and len(self._tasks) >= MAX_WAITING_QUERIES:
            if asyncio.iscoroutine(reply):
                reply.close()
            return None
        work = self._answer_later(query, message[:2], reply, send, is_datagram)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer_later(
        self,
        query: Query,
        identifier: bytes,
        pending: Awaitable[Reply],
        send: Callable[[bytes], None],
        is_datagram: bool,
    ) -> None:
        try:
            reply = await pending
        except Exception:
            log.exception("no reply to %r", query)
            reply = make_refusal(SERVFAIL)
        send(make_message(query, identifier, reply, is_datagram=is_datagram, is_recursive=self._is_recursive))

    def add(self, connection: _Connection) -> None:
        """Count a connection in. Where there is no room, the one that has been silent for longest ends."""
        if len(self._connections) >= MAX_CONNECTIONS:
            longest = next(iter(self._connections))
            self.remove(longest)
            longest.abort()
        self._connections[connection] = None

    def note_activity(self, connection: _Connection) -> None:
        """Note that a connection has asked."""
        if connection in self._connections:
            del self._connections[connection]
            self._connections[connection] = None

    def remove(self, connection: _Connection) -> None:
        self._connections.pop(connection, None)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._send: Callable[[bytes, Any], None] = transport.sendto  # type: ignore[attr-defined]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not is_query(data):
            return
        send = self._send
        self._server.answer(data, addr[0], lambda reply: send(reply, addr), is_datagram=True)


class _Connection(asyncio.Protocol):
    """A client that asks over TCP, also several queries at once (RFC 7766)."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._received = bytearray()
        self._waiting = 0
        self._is_writable = True
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._host: str = transport.get_extra_info("peername")[0]
        self._server.add(self)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.remove(self)
        if self._idle is not None:
            self._idle.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._answer()

    def pause_writing(self) -> None:
        # A client that does not read what it is told is not told more.
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        self._answer()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._transport.abort)

    def _can_answer(self) -> bool:
        return self._is_writable and self._waiting < MAX_PIPELINED_QUERIES

    def _answer(self) -> None:
        """Answer the queries that have come whole; read on if more can be answered."""
        received = self._received
        while len(received) >= 2 and self._can_answer():
            end = 2 + int.from_bytes(received[:2], "big")
            if len(received) < end:
                break
            message = bytes(received[2:end])
            del received[:end]
            self._rest()
            self._server.note_activity(self)
            if not is_query(message):
                self._transport.abort()
                return
            task = self._server.answer(message, self._host, self._send, is_datagram=False)
            if task is not None:
                self._waiting += 1
                task.add_done_callback(self._go_on)
        if self._transport.is_closing():
            return
        with suppress(RuntimeError):
            if self._can_answer():
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _go_on(self, task: asyncio.Task[None]) -> None:
        self._waiting -= 1
        if not self._transport.is_closing():
            self._answer()

    def _send(self, reply: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(len(reply).to_bytes(2, "big") + reply)
