"""Connections that leave HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from cloudlet.edge.exchange import Exchange
from cloudlet.edge.http import HttpServer
from tests.edge.conftest import Client, Echo

Connect = Callable[[], Awaitable[Client]]
Run = Callable[..., Any]

ASKING = b"GET /later HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n"
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n"


class Shout(asyncio.Protocol):
    """Answers in capitals."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


async def asked(echo: Echo) -> Exchange:
    while not echo.kept:
        await asyncio.sleep(0.001)
    return echo.kept[-1]


def test_a_connection_is_given_over_with_what_has_arrived(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(ASKING + b"ear")
        exchange = await asked(echo)
        assert exchange.upgradable
        await client.send(b"ly")
        shout = Shout()
        exchange.upgrade(HEAD, shout)
        await client.send(b" and late")
        expected = HEAD + b"EARLY AND LATE"
        assert await client.reader.readexactly(len(expected)) == expected
        client.writer.close()
        await asyncio.wait_for(shout.lost.wait(), 10)

    run_server(scenario)


def test_an_upgrade_that_is_not_taken_up_is_answered_and_ends_the_connection(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(ASKING.replace(b"/later", b"/now") + b"GET /not-http HTTP/1.1\r\n\r\n")
        status, headers, _ = await client.response()
        assert (status, headers["connection"]) == (200, "close")
        assert await client.ended()
        assert [request.path for request in echo.seen] == ["/now"]

    run_server(scenario)


def test_a_connection_that_was_given_over_may_be_idle_and_ends_with_the_server(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(ASKING)
        shout = Shout()
        (await asked(echo)).upgrade(HEAD, shout)
        server.clients.tick += 10 * server.clients.limits.idle
        for connection in list(server.clients.connections):
            connection.check(server.clients.tick)
        await client.send(b"still here")
        expected = HEAD + b"STILL HERE"
        assert await client.reader.readexactly(len(expected)) == expected
        await server.stop()
        await asyncio.wait_for(shout.lost.wait(), 10)

    run_server(scenario)
