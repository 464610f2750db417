"""A small HTTP/1.1 server on loopback, for the programs of one sandbox only.

Who else connects to its port is hung up on: stock clients of the Runtime API have no way to say who they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import httptools

_LARGEST_BYTES = 32 << 20
_HEAD_BYTES = 64 << 10


@dataclass(slots=True)
class Request:
    """A request, whole, or, where it is `streamed`, its head alone."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Reply:
    """What is answered."""

    status: int = 202
    body: bytes = b'{"status":"OK"}\n'
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Reply]]
Streams = Callable[[Request], "Callable[[bytes | None], None] | None"]
"""Returns what takes the pieces of a request's body, and None at its end; None where it is wanted whole."""
Admits = Callable[[int], Awaitable[bool]]
"""Whether the program that connects from a port is one of the sandbox."""


class Endpoint:
    """The server."""

    def __init__(self, handler: Handler, streams: Streams, admits: Admits) -> None:
        self._handler = handler
        self._streams = streams
        self._admits = admits
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self.address = ""
        """Host and port."""
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address, self.port = f"{host}:{port}", port

    def hold(self, held: bool) -> None:
        """Read nothing more for now, or go on."""
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
        self._parts: list[bytes] = []
        self._size = 0
        self._sink: Callable[[bytes | None], None] | None = None
        self._waiting: asyncio.Queue[Request] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._endpoint._connections.add(self)
        self._work = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._endpoint._connections.discard(self)
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

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            self._early += data
            if len(self._early) > _HEAD_BYTES:
                self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError):
            self.close()

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        self._path, self._headers, self._parts, self._size, self._sink = b"", {}, [], 0, None

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def _request(self) -> Request:
        method = self._parser.get_method().decode("latin-1")
        path = self._path.decode("latin-1").partition("?")[0]
        return Request(method, path, self._headers, b"".join(self._parts))

    def on_headers_complete(self) -> None:
        self._sink = self._endpoint._streams(self._request())

    def on_body(self, body: bytes) -> None:
        if self._sink is not None:
            self._sink(body)
            return
        self._size += len(body)
        if self._size > _LARGEST_BYTES:
            raise ValueError("the body is too large")
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._sink is not None:
            self._sink(None)
        self._waiting.put_nowait(self._request())

    async def _serve(self) -> None:
        transport = self._transport
        if transport is None or not await self._endpoint._admits(transport.get_extra_info("peername")[1]):
            self.close()
            return
        self._admitted = True
        early, self._early = self._early, b""
        if early:
            self.data_received(early)
        while self._transport is not None:
            reply = await self._endpoint._handler(await self._waiting.get())
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        if self._transport is None:
            return
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._transport.write("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + reply.body)
