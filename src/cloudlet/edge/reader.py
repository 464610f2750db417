"""A reader: a process that reads requests and verifies their signatures, for the process that has the blocks.

It takes what is plain: signed requests to AWS's APIs with a small body. A connection with anything else (what is not
signed, or wrongly; large bodies; applications behind API Gateway; our own paths) goes back as it was, with what has
been read of it, so that everything unusual is in one place. A reader has no state but its connections.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from socket import socket
from typing import Final, cast

import httptools
import uvloop

from cloudlet.core.origins import is_of_browser
from cloudlet.core.system_clock import SystemClock
from cloudlet.core.tokens import TokenSealer
from cloudlet.edge import gateways, routing
from cloudlet.edge.auth import Authenticator
from cloudlet.edge.heads import BODILESS, CONTINUE, Refused, headers_of, response_head, target_of
from cloudlet.edge.keys import KeyRing
from cloudlet.edge.link import (
    TO_READER,
    Answer,
    Asked,
    Connections,
    FromReader,
    Gone,
    Handed,
    Messages,
    Opening,
    Ready,
    Retire,
    ToReader,
    Wanted,
)
from cloudlet.edge.sockets import inherited
from cloudlet.edge.tuning import tune
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse, WireError, sigv2, sigv4

log = logging.getLogger("cloudlet.edge")

_LARGEST_BODY_BYTES: Final = 64 << 10
_IDLE_SECONDS: Final = 120
_LARGEST_REQUEST_BYTES: Final = _LARGEST_BODY_BYTES + (16 << 10)
_UNREAD_SECONDS: Final = 30
_READING_SECONDS: Final = 5
"""How long a request may take to come before the other process looks after it, which knows what to say."""


class Desk:
    """Says who makes a request and what it is for, where both are plain."""

    def __init__(self, opening: Opening) -> None:
        keys = KeyRing(opening.root_keys, TokenSealer(opening.master_key))
        self._authenticator = Authenticator(keys, SystemClock(), strict=opening.strict)
        self._public_host = opening.public_host

    def look_at(self, request: HttpRequest, number: int, peer: str, keep_alive: bool) -> Asked | None:
        """Return what to ask, or None for what is not plain."""
        if request.method == "OPTIONS" or is_of_browser(request.headers):
            return None
        if request.path.startswith(routing.OWN_PATHS) or gateways.find(request, self._public_host) is not None:
            return None
        try:
            claim = sigv2.claim(request) or sigv4.claim(request)
            if claim is None:
                return None
            found = routing.route(request, claim, self._public_host)
            caller = self._authenticator.authenticate(request, claim, found.model, found.path_of(request))
        except (sigv4.Malformed, routing.Unroutable, WireError):
            return None
        if not isinstance(caller.body, bytes):
            return None
        principal = caller.principal
        return Asked(
            number,
            (found.service, found.protocol, found.operation.name),
            found.address,
            routing.region_of(request, claim),
            (
                principal.kind,
                principal.account,
                principal.arn,
                principal.user_id,
                principal.access_key,
                principal.invoked_by,
            ),
            caller.expires,
            peer,
            request.method,
            request.path,
            request.query,
            request.headers,
            caller.body,
            keep_alive,
        )


class Client(asyncio.Protocol):
    """One connection, of whose requests one is under way at a time."""

    def __init__(self, reader: Reader, read: bytes) -> None:
        """`read` is what was read from it before it came here."""
        self._reader = reader
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._heard = reader.tick
        self._unread_since: int | None = None
        self._read: list[bytes] = [read] if read else []
        """What has come of a request that is not complete; behind one under way, what has come since."""
        self._size = len(read)
        self._asked: Asked | None = None
        self._leaving: Handed | None = None
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._is_plain = True
        self._awaits_body = False
        self._is_complete = False

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self._peer = name[0] if name else ""
        self._reader.clients.add(self)
        if self._reader.retires:
            self.hand_over()
        elif self._read:
            self._parse(self._read[0])

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._asked is not None:
            self._reader.lost(self._asked.id)
        elif self._leaving is not None and self._leaving.answers is not None:
            self._reader.messages.send(Gone(self._leaving.answers))
        self._reader.left(self)

    def data_received(self, data: bytes) -> None:
        self._heard = self._reader.tick
        if self._leaving is not None:
            self._leaving.read += data
            return
        self._read.append(data)
        self._size += len(data)
        if self._asked is None and self._unread_since is None:
            self._parse(data)
        elif self._size > _LARGEST_BODY_BYTES and self._transport is not None:
            # Nobody has to send that much before the answer is there, and read.
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._unread_since = self._reader.tick

    def resume_writing(self) -> None:
        self._unread_since = None
        if self._leaving is not None:
            self._leave(self._leaving)
        elif self._asked is None and self._read:
            self._go_on()

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        # Two at once are left to who answers in order.
        self._is_plain = self._is_plain and not self._is_complete

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._awaits_body = True

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._is_complete = True

    # -- a request

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._is_plain = False
        if self._size > _LARGEST_REQUEST_BYTES:
            self._is_plain = False
        if self._awaits_body and not self._is_complete:
            self._look_at_head()
        if self._is_plain and not self._is_complete:
            return
        asked = self._plain_request() if self._is_plain else None
        if asked is None:
            self.hand_over(stays=True)
            return
        self._read, self._size = [], 0
        self._asked = asked
        self._reader.ask(self, asked)

    def _look_at_head(self) -> None:
        """Say early that a body is too large, and tell a client that waits with a small one to go on."""
        self._awaits_body = False
        expects = False
        for name, value in self._headers:
            match name.lower():
                case b"content-length":
                    # Longer numbers are not looked at, lest they take long to read.
                    self._is_plain = self._is_plain and len(value) < 8 and int(value) <= _LARGEST_BODY_BYTES
                case b"expect":
                    expects = True
        if expects and self._is_plain and not self._parts and self._transport is not None:
            self._transport.write(CONTINUE)

    def _plain_request(self) -> Asked | None:
        try:
            headers = headers_of(self._headers)
        except Refused:
            return None
        if "transfer-encoding" in headers:
            return None
        path, query = target_of(self._url)
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        request = HttpRequest(self._parser.get_method().decode("latin-1"), path, query, headers, body)
        return self._reader.look_at(request, self._peer, self._parser.should_keep_alive())

    # -- its answer

    def respond(self, answer: Answer) -> None:
        """Send the response to the request that is under way."""
        asked, transport, self._asked = self._asked, self._transport, None
        if asked is None or transport is None:
            return
        response = HttpResponse(answer.status, answer.headers, answer.body)
        head = response_head(response, asked.keep_alive)
        has_body = asked.method != "HEAD" and answer.status not in BODILESS
        transport.write(head + answer.body if has_body else head)
        if not asked.keep_alive:
            transport.close()
            return
        self._begin()
        if self._reader.retires:
            self.hand_over()
        elif self._read and self._unread_since is None:
            self._go_on()

    def _go_on(self) -> None:
        """Look at what has come meanwhile."""
        if self._transport is not None:
            self._transport.resume_reading()
        data = b"".join(self._read)
        self._read = [data]
        self._parse(data)

    # -- going over

    def retire(self) -> None:
        """Go over, at once or when what is under way has been answered."""
        if self._asked is None:
            self.hand_over()

    def hand_over(self, *, answers: int | None = None, stays: bool = False) -> None:
        """Give the connection to the process that has the blocks."""
        transport = self._transport
        if transport is None or self._leaving is not None:
            return
        self._asked = None
        transport.pause_reading()
        self._leaving = Handed(read=b"".join(self._read), answers=answers, stays=stays)
        if transport.get_write_buffer_size():
            # What was answered goes out first.
            transport.set_write_buffer_limits(high=0)
        else:
            self._leave(self._leaving)

    def _leave(self, handed: Handed) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            self._leaving = None
            self._reader.connections.send(transport.get_extra_info("socket"), handed)
            transport.abort()

    def check(self, tick: int) -> None:
        """Look after a client that has kept still; called once a second."""
        transport = self._transport
        if transport is None:
            return
        if self._unread_since is not None:
            if tick - self._unread_since > _UNREAD_SECONDS:
                transport.abort()
        elif self._asked is None and self._leaving is None:
            if self._read and tick - self._heard > _READING_SECONDS:
                self.hand_over(stays=True)
            elif tick - self._heard > _IDLE_SECONDS:
                transport.close()


class Reader:
    """The process: its connections, and the way to the process that has the blocks."""

    def __init__(self, connections: socket) -> None:
        self.tick = 0
        self.clients: set[Client] = set()
        self.retires = False
        self.connections = Connections(connections, self._take_connection)
        self.messages = Messages(TO_READER, self._take, self._end)
        self._ended = asyncio.get_running_loop().create_future()
        self._desk: Desk | None = None
        self._under_way: dict[int, Client] = {}
        self._number = 0
        self._arriving = 0

    def look_at(self, request: HttpRequest, peer: str, keep_alive: bool) -> Asked | None:
        """Return what to ask, or None for what is not plain."""
        if self._desk is None:
            return None
        self._number += 1
        try:
            return self._desk.look_at(request, self._number, peer, keep_alive)
        except Exception:
            # The other process says what comes of it.
            log.exception("a request could not be looked at")
            return None

    def ask(self, client: Client, asked: Asked) -> None:
        self._under_way[asked.id] = client
        self.messages.send(asked)

    def lost(self, number: int) -> None:
        """Say that the client that asked has gone."""
        if self._under_way.pop(number, None) is not None:
            self.messages.send(Gone(number))

    def left(self, client: Client) -> None:
        """Take note that a connection is not here any more."""
        self.clients.discard(client)
        self._end_once_empty()

    async def run(self) -> None:
        """Work until the other process has gone, or wants no more of it and has all connections back."""
        while not self._ended.done():
            await asyncio.wait([self._ended], timeout=1)
            self.tick += 1
            for client in list(self.clients):
                client.check(self.tick)

    def _take(self, message: ToReader | FromReader) -> None:
        match message:
            case Answer():
                client = self._under_way.pop(message.id, None)
                if client is not None:
                    client.respond(message)
            case Wanted():
                client = self._under_way.pop(message.id, None)
                if client is not None:
                    client.hand_over(answers=message.id, stays=True)
            case Opening():
                self._desk = Desk(message)
                self.messages.send(Ready())
            case Retire():
                self.retires = True
                # What was sent before has arrived, but may not have been looked at.
                self.connections.receive()
                for each in list(self.clients):
                    each.retire()
                self._end_once_empty()

    def _take_connection(self, connection: socket, handed: Handed) -> None:
        self._arriving += 1
        spawn(self._accept(connection, handed))

    async def _accept(self, connection: socket, handed: Handed) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: Client(self, handed.read), connection)
        except OSError:
            # The client has gone meanwhile.
            connection.close()
        finally:
            self._arriving -= 1
            self._end_once_empty()

    def _end_once_empty(self) -> None:
        if self.retires and not self.clients and not self._arriving:
            self._end()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


async def _read(messages: socket, connections: socket) -> None:
    reader = Reader(connections)
    await asyncio.get_running_loop().create_connection(lambda: reader.messages, sock=messages)
    await reader.run()
    reader.connections.close()
    reader.messages.close()


def main() -> None:
    """Run with the descriptors of the two sockets as arguments."""
    # Ctrl-C goes to all processes of a terminal; this one ends with the one that it works for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ends = [inherited(int(word)) for word in sys.argv[1:3]]
    tune()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_read(*ends))
