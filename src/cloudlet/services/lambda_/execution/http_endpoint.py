"""A small HTTP/1.1 server on loopback, for the programs of one sandbox only.

Who else connects to its port is hung up on: stock clients of the Runtime API have no way to say who they are.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import httptools

_HELD_BYTES = 16 << 20
"""So much of all bodies of a sandbox's requests is in memory at once."""
_HEAD_BYTES = 64 << 10
"""A head, or what frames a body, has no more."""
_MOST_WAITING = 16
"""Requests of a connection that wait for one before them."""


@dataclass(slots=True)
class Request:
    """A request, whole, or, where it is `streamed`, its head alone."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    is_too_large: bool = False
    """Whether the body was larger than it may be, and was thrown away."""


@dataclass(slots=True)
class Reply:
    """What is answered."""

    status: int = 202
    body: bytes = b'{"status":"OK"}\n'
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Reply]]
Streams = Callable[[Request], "Callable[[bytes | None], None] | None"]
"""Returns what takes the pieces of a request's body, and None at its end; None where it is wanted whole."""
Largest = Callable[[Request], int]
"""Returns how many bytes the body of a request, of which there is the head, may have."""
Admits = Callable[[int], Awaitable[bool]]
"""Whether the program that connects from a port is one of the sandbox."""


class Endpoint:
    """The server."""

    def __init__(self, handler: Handler, streams: Streams, largest: Largest, admits: Admits) -> None:
        self._handler = handler
        self._streams = streams
        self._largest = largest
        self._admits = admits
        self._connections: set[_Connection] = set()
        self._held_bytes = 0
        """Of bodies that are wanted whole."""
        self._is_held = False
        self._server: asyncio.Server | None = None
        self.address = ""
        """Host and port."""
        self.port = 0

    async def listen(self, listener: socket.socket | None = None) -> None:
        """Serve who comes to a listener, or to a port of the machine's loopback."""
        if listener is None:
            listener = socket.create_server(("127.0.0.1", 0))
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), sock=listener)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address, self.port = f"{host}:{port}", port

    def hold(self, held: bool) -> None:
        """Read nothing more for now, or go on."""
        self._is_held = held
        for connection in self._connections:
            connection.hold(held)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._work: asyncio.Task[None] | None = None
        self._early = b""
        self._admitted = False
        self._path = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._largest = 0
        self._is_too_large = False
        self._held_bytes = 0
        """Of its bodies, until they have been seen to."""
        self._framing_bytes = 0
        """That came since something was made of them."""
        self._sink: Callable[[bytes | None], None] | None = None
        self._waiting: asyncio.Queue[Request] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._endpoint._connections.add(self)
        self.hold(self._endpoint._is_held)
        self._work = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._endpoint._connections.discard(self)
        self._let_go(self._held_bytes)
        if self._work is not None:
            self._work.cancel()

    def hold(self, held: bool) -> None:
        if self._transport is not None:
            if held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            self._early += data
            if len(self._early) > _HEAD_BYTES and self._transport is not None:
                self._transport.pause_reading()
            return
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
        if self._framing_bytes > _HEAD_BYTES or self._waiting.qsize() > _MOST_WAITING:
            self.close()

    def _take(self, size: int) -> None:
        self._held_bytes += size
        self._endpoint._held_bytes += size

    def _let_go(self, size: int) -> None:
        self._take(-size)

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        self._path, self._headers, self._body, self._is_too_large, self._sink = b"", {}, bytearray(), False, None

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def _request(self) -> Request:
        method = self._parser.get_method().decode("latin-1")
        path = self._path.decode("latin-1").partition("?")[0]
        return Request(method, path, self._headers, bytes(self._body), self._is_too_large)

    def on_headers_complete(self) -> None:
        self._framing_bytes = 0
        request = self._request()
        self._sink = self._endpoint._streams(request)
        self._largest = self._endpoint._largest(request)

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        if self._sink is not None:
            self._sink(body)
            return
        has_room = self._endpoint._held_bytes + len(body) <= _HELD_BYTES
        if self._is_too_large or len(self._body) + len(body) > self._largest or not has_room:
            self._let_go(len(self._body))
            self._is_too_large, self._body = True, bytearray()
            return
        self._take(len(body))
        self._body += body

    def on_message_complete(self) -> None:
        self._framing_bytes = 0
        if self._sink is not None:
            self._sink(None)
        self._waiting.put_nowait(self._request())
        self._body = bytearray()

    async def _serve(self) -> None:
        transport = self._transport
        if transport is None or not await self._endpoint._admits(transport.get_extra_info("peername")[1]):
            self.close()
            return
        self._admitted = True
        self.hold(self._endpoint._is_held)
        early, self._early = self._early, b""
        if early:
            self.data_received(early)
        while self._transport is not None:
            request = await self._waiting.get()
            self._write(await self._endpoint._handler(request))
            self._let_go(len(request.body))
            await self._writable.wait()

    def _write(self, reply: Reply) -> None:
        if self._transport is None:
            return
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._transport.write("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + reply.body)
