"""Passing requests on to a block that runs in a process of its own.

A request goes on as it came, head and body, so that the block verifies the signature itself. Bodies pass through as
they arrive, both ways, and each side is held back while the other is behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools

from cloudlet.core.kernel.errors import AwsError
from cloudlet.edge.back_pressure import RequestBody, WriteGate
from cloudlet.edge.connection import FORWARDED_FOR, FORWARDED_PROTO
from cloudlet.edge.exchange import Exchange
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse

_HELD_BODY_BYTES = 256 << 10
_MOST_RESTING = 64
_PER_CONNECTION = frozenset(("connection", "keep-alive", "transfer-encoding", "date"))
_NOT_PASSED_ON = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "content-length", "expect", FORWARDED_FOR, FORWARDED_PROTO)
)
_OF_THIS_CONNECTION = frozenset(("", "close", "keep-alive", "upgrade"))
"""What a Connection header says beside the names of headers."""

Failed = Callable[[], None]
"""Called where there is no response: nobody knows whether the block has done what was asked."""


class Forwarder:
    """The way to one block, through its Unix socket; connections are kept for later requests."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._resting: list[_Link] = []

    def forward(self, request: HttpRequest, exchange: Exchange, failed: Failed) -> None:
        """Answer `exchange` with what the block answers."""
        while self._resting:
            link = self._resting.pop()
            if link.usable:
                link.begin(request, exchange, failed)
                return
        spawn(self._connect(request, exchange, failed))

    def tunnel(self, request: HttpRequest, exchange: Exchange, failed: Failed) -> None:
        """Let the block answer a request that leaves HTTP, on a connection of its own."""
        spawn(self._tunnel(request, exchange, failed))

    async def _tunnel(self, request: HttpRequest, exchange: Exchange, failed: Failed) -> None:
        loop = asyncio.get_running_loop()
        near, far = _End(), _End()
        near.opposite, far.opposite = far, near
        try:
            await loop.create_unix_connection(lambda: far, self._path)
        except OSError:
            failed()
            return
        far.write(_head(request, exchange, "connection: upgrade\r\n"))
        # The block's whole answer, an upgrade or not, is what the client gets.
        exchange.upgrade(b"", near)
        if exchange.gone:
            # Nobody else would hang up on the block.
            far.close()

    async def _connect(self, request: HttpRequest, exchange: Exchange, failed: Failed) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, link = await loop.create_unix_connection(lambda: _Link(self._rest), self._path)
        except OSError:
            failed()
            return
        link.begin(request, exchange, failed)

    def _rest(self, link: _Link) -> None:
        if len(self._resting) < _MOST_RESTING:
            self._resting.append(link)
        else:
            link.close()

    def close(self) -> None:
        """Close the connections at rest."""
        for link in self._resting:
            link.close()
        self._resting.clear()


class _Link(asyncio.Protocol):
    """A connection to the block, with at most one request under way."""

    def __init__(self, on_rest: Callable[[_Link], None]) -> None:
        self.usable = True
        self._on_rest = on_rest
        self._stream: RequestBody | None = None
        self._transport: asyncio.Transport | None = None
        self._gate = WriteGate()
        self._exchange: Exchange | None = None
        self._failed: Failed | None = None

    def begin(self, request: HttpRequest, exchange: Exchange, failed: Failed) -> None:
        """Send a request."""
        transport = self._transport
        if transport is None:
            failed()
            return
        self._exchange, self._failed = exchange, failed
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._stream = None
        self._sent = False
        exchange.on_abort = self.close
        body = request.body
        if isinstance(body, bytes):
            self._sent = True
            # Who has said nothing of a body is not made to say that it is empty.
            framing = f"Content-Length: {len(body)}\r\n" if body or "content-length" in request.headers else ""
            transport.write(_head(request, exchange, framing) + body)
        else:
            spawn(self._send(request, exchange))

    async def _send(self, request: HttpRequest, exchange: Exchange) -> None:
        """Send a request whose body is still arriving."""
        length = request.headers.get("content-length")
        framing = "transfer-encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
        self._write(_head(request, exchange, framing))
        try:
            async for part in cast(RequestBody, request.body):
                self._write(part if length is not None else b"%x\r\n%b\r\n" % (len(part), part))
                await self._gate.wait()
        except ConnectionError:
            self.close()
            return
        except AwsError:
            # It is passed on as broken as it came: the block has the words for that.
            self._write(b"?\r\n")
        else:
            if length is None:
                self._write(b"0\r\n\r\n")
        self._sent = True
        self._settle()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Hang up: on a request under way too, whose client has gone."""
        self.usable = False
        self._exchange = self._failed = None
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._transport = None
        self._gate.close()
        if self._exchange is not None:
            self._break()

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break()
            self.close()

    def pause_writing(self) -> None:
        self._gate.pause()

    def resume_writing(self) -> None:
        self._gate.resume()

    # -- httptools' callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        # As they are written again: whatever bytes a value has stay the same.
        self._headers.append((name.decode("latin-1"), value.decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        if self._exchange is not None and self._exchange.request.method == "HEAD":
            # The parser would wait for a body.
            self.usable = False
            self._finish(b"")
            return
        length = next((value for name, value in self._headers if name.lower() == "content-length"), None)
        if self._parser.get_status_code() not in (204, 304) and (length is None or int(length) > _HELD_BODY_BYTES):
            self._stream = RequestBody(self._transport, None)
            self._respond(self._relayed(self._stream))

    def on_body(self, body: bytes) -> None:
        if self._stream is not None:
            self._stream.feed(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._exchange is None:
            return
        self.usable = self.usable and self._parser.should_keep_alive()
        if self._stream is None:
            self._finish(b"".join(self._parts))
            return
        self._stream.end()
        self._exchange = None
        self._settle()

    def _finish(self, body: bytes) -> None:
        self._respond(body)
        self._exchange = None
        self._settle()

    async def _relayed(self, stream: RequestBody) -> AsyncIterator[bytes]:
        try:
            async for part in stream:
                yield part
        finally:
            if not stream.complete:
                self.close()

    def _respond(self, body: bytes | AsyncIterator[bytes]) -> None:
        exchange, self._failed = self._exchange, None
        if exchange is None:
            return
        headers = [(name, value) for name, value in self._headers if name.lower() not in _PER_CONNECTION]
        exchange.respond(HttpResponse(self._parser.get_status_code(), headers, body))

    def _settle(self) -> None:
        """Rest, once both the request and its response are through."""
        if not self._sent or self._exchange is not None:
            return
        if self.usable:
            self._on_rest(self)
        else:
            self.close()

    def _break(self) -> None:
        """The block has gone in the middle of a request."""
        failed, self._failed, self._exchange = self._failed, None, None
        if self._stream is not None:
            self._stream.abort()
        elif failed is not None:
            failed()


class _End(asyncio.Protocol):
    """One end of a tunnel: what comes in here goes out at the other end, no faster than that takes it."""

    opposite: _End

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._closed = False

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._closed:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.opposite.close()

    def data_received(self, data: bytes) -> None:
        self.opposite.write(data)

    def pause_writing(self) -> None:
        if self.opposite._transport is not None:
            self.opposite._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.opposite._transport is not None:
            self.opposite._transport.resume_reading()


def as_written(request: HttpRequest, exchange: Exchange) -> HttpRequest:
    """Return a request, to be forwarded, whose headers have the names that the client has given them."""
    written = [name.decode("latin-1") for name, _ in exchange.raw_headers]
    names = {name.lower(): name for name in written}
    headers = {
        name if name in _NOT_PASSED_ON else names.get(name, name): value for name, value in request.headers.items()
    }
    return HttpRequest(request.method, request.path, request.query, headers, request.body)


def _hops(request: HttpRequest) -> list[str]:
    """Return what says which of its headers the client does not want to be sent on: the block may send them on."""
    options = [option.strip() for option in request.headers.get("connection", "").split(",")]
    named = [option for option in options if option.lower() not in _OF_THIS_CONNECTION]
    return [f"connection: {', '.join(named)}\r\n"] if named else []


def _head(request: HttpRequest, exchange: Exchange, framing: str) -> bytes:
    target = f"{request.path}?{request.query}" if request.query else request.path
    lines = [f"{request.method} {target} HTTP/1.1\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in request.headers.items() if name not in _NOT_PASSED_ON]
    lines += _hops(request)
    lines.append(f"{FORWARDED_FOR}: {exchange.peer}\r\n")
    lines.append(f"{FORWARDED_PROTO}: {'https' if exchange.secure else 'http'}\r\n")
    lines.append(framing + "\r\n")
    return "".join(lines).encode("latin-1")
