"""The HTTP server with a handler of the test's own, and a raw client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from cloudlet.edge.clients import Limits
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.http import HttpServer
from cloudlet.edge.listeners import bind, port_of
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse


@dataclass
class Client:
    """A raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response: status, headers, body."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size = int(await self.reader.readline(), 16)
                body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
                if not size:
                    break
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(lines[0].split()[1]), headers, body

    async def ended(self) -> bool:
        """Wait for the server to hang up."""
        try:
            return await asyncio.wait_for(self.reader.read(), 10) == b""
        except ConnectionError:
            return True


class Echo:
    """Answers with what it got; keeps exchanges whose path is /later until the test answers them."""

    def __init__(self) -> None:
        self.kept: list[Exchange] = []
        self.seen: list[HttpRequest] = []

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        self.seen.append(request)
        if request.path == "/later":
            self.kept.append(exchange)
        elif request.path == "/fail":
            raise RuntimeError("as asked")
        elif isinstance(request.body, bytes):
            exchange.respond(HttpResponse(200, [("x-path", request.path)], request.body))
        elif request.path == "/read":
            spawn(self._read(request, exchange))
        elif request.path == "/refuse":
            exchange.respond(HttpResponse(403, [], b"no"))
        else:
            exchange.respond(HttpResponse(200, [], request.body.__aiter__()))

    async def _read(self, request: HttpRequest, exchange: Exchange) -> None:
        assert not isinstance(request.body, bytes)
        exchange.respond(HttpResponse(200, [], await request.body.read(1 << 20)))


Scenario = Callable[[HttpServer, Echo, Callable[[], Awaitable[Client]]], Awaitable[Any]]


@pytest.fixture
def run_server() -> Callable[..., Any]:
    """Run a scenario against a server with the given limits."""

    def run(scenario: Scenario, limits: Limits | None = None) -> Any:
        async def main() -> Any:
            echo = Echo()
            server = HttpServer(echo, limits)
            (listening,) = bind("127.0.0.1", 0)
            port = port_of(listening)
            await server.listen(listening)

            async def connect() -> Client:
                return Client(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 24))

            try:
                return await scenario(server, echo, connect)
            finally:
                await server.stop(0.1)

        return uvloop.run(main())

    return run
