"""A small HTTP/1.1 server, at which Envoy asks for functions and users."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, cast

import httptools

from cloudlet.services.elbv2.proxy import pages

log = logging.getLogger("cloudlet.elbv2")

MAX_BODY_BYTES: Final = 1 << 20
_MAX_WAITING_REQUESTS: Final = 4
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request; names of headers are in lower case."""

    method: str
    target: str
    headers: Headers
    body: bytes
    is_too_large: bool = False
    """Whether its body was larger than is taken, and is left out."""

    def get(self, name: str) -> str:
        """Return the last header of this (lower-case) name, or ""."""
        return next((value for known, value in reversed(self.headers) if known == name), "")


@dataclass(frozen=True, slots=True)
class Response:
    """A response; its length is added."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    reason: str = ""
    """The words beside the status, if they are not HTTP's own."""
    error: str = ""
    """AWS's code for what went wrong, for logs and metrics."""
    metric: str = ""
    """The metric that counts what went well."""


def make_page(status: int, error: str = "") -> Response:
    """Return the page of a status."""
    headers = [("server", pages.SERVER), ("content-type", "text/html")]
    return Response(status, headers, pages.render(status).encode(), error=error)


def _find_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


Handler = Callable[[Request], Awaitable[Response | None]]
"""A function that answers a request. None is to break off the connection."""


class BlockServer:
    """The server. Used from one event loop."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    def make_protocol(self) -> asyncio.Protocol:
        """Return the protocol of a connection."""
        return _Connection(self)

    def close(self) -> None:
        """End all connections."""
        for each in list(self.connections):
            each.close()


class _Connection(asyncio.Protocol):
    def __init__(self, server: BlockServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: asyncio.Queue[Request] = asyncio.Queue()
        self._work: asyncio.Task[None] | None = None
        self._target = b""
        self._headers: Headers = []
        self._body = bytearray()
        self._is_too_large = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)
        self._work = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)
        if self._work is not None:
            self._work.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
        if self._waiting.qsize() > _MAX_WAITING_REQUESTS:
            self.close()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body, self._is_too_large = b"", [], bytearray(), False

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._is_too_large = self._is_too_large or len(self._body) + len(body) > MAX_BODY_BYTES
        if not self._is_too_large:
            self._body += body

    def on_message_complete(self) -> None:
        method, target = self._parser.get_method().decode("latin-1"), self._target.decode("latin-1")
        body = b"" if self._is_too_large else bytes(self._body)
        self._waiting.put_nowait(Request(method, target, self._headers, body, self._is_too_large))

    async def _serve(self) -> None:
        while True:
            request = await self._waiting.get()
            response = await self._answer(request)
            if response is None:
                self.close()
            else:
                self._write(request, response)

    async def _answer(self, request: Request) -> Response | None:
        try:
            return await self._server.handler(request)
        except Exception:
            log.exception("a request of a load balancer failed")
            return make_page(502)

    def _write(self, request: Request, response: Response) -> None:
        if self._transport is None:
            return
        lines = [f"HTTP/1.1 {response.status} {response.reason or _find_phrase(response.status)}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines.append(f"content-length: {len(response.body)}")
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        self._transport.write(head if request.method == "HEAD" else head + response.body)
