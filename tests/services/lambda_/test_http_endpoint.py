"""What the small server for a sandbox's programs holds in memory, whatever those send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cloudlet.services.lambda_.execution import http_endpoint
from cloudlet.services.lambda_.execution.http_endpoint import Endpoint, Reply, Request

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _run(
    scenario: Callable[[Endpoint, list[Request]], Awaitable[None]],
    *,
    waits: bool = False,
    admitting: asyncio.Event | None = None,
) -> None:
    """Do something with an endpoint, which takes bodies of up to a MiB; `waits`: it answers nothing.

    Until `admitting` is set, nobody is let in yet.
    """

    async def run() -> None:
        seen: list[Request] = []

        async def handle(request: Request) -> Reply:
            seen.append(request)
            if waits:
                await asyncio.Event().wait()
            return Reply(200, b"")

        async def admits(_: int) -> bool:
            if admitting is not None:
                await admitting.wait()
            return True

        endpoint = Endpoint(handle, lambda _: None, lambda _: 1 << 20, admits)
        await endpoint.listen()
        try:
            await asyncio.wait_for(scenario(endpoint, seen), 30)
        finally:
            endpoint.close()

    asyncio.run(run())


async def _connect(endpoint: Endpoint) -> Streams:
    return await asyncio.open_connection("127.0.0.1", endpoint.port)


def _head(size: int) -> bytes:
    return f"POST /x HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode()


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


def test_a_body_that_is_too_large_is_thrown_away_and_said_to_be() -> None:
    async def scenario(endpoint: Endpoint, seen: list[Request]) -> None:
        reader, writer = await _connect(endpoint)
        for size in ((1 << 20) + 1, 3):
            writer.write(_head(size) + b"x" * size)
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")
        assert [(request.body, request.is_too_large) for request in seen] == [(b"", True), (b"xxx", False)]
        assert endpoint._held_bytes == 0

    _run(scenario)


def test_what_comes_before_it_is_known_who_sends_it_waits() -> None:
    admitting = asyncio.Event()

    async def scenario(endpoint: Endpoint, seen: list[Request]) -> None:
        reader, writer = await _connect(endpoint)
        size = 1 << 20
        writer.write(_head(size) + b"x" * size)
        await _until(lambda: any(len(each._early) > http_endpoint._HEAD_BYTES for each in endpoint._connections))
        admitting.set()
        await reader.readuntil(b"\r\n\r\n")
        assert [len(request.body) for request in seen] == [size]

    _run(scenario, admitting=admitting)


def test_bodies_of_many_connections_have_one_bound() -> None:
    async def scenario(endpoint: Endpoint, seen: list[Request]) -> None:
        size = 1 << 20
        connections = [await _connect(endpoint) for _ in range(20)]
        for _, writer in connections:
            writer.write(_head(size) + b"x" * size)
            await writer.drain()
        await _until(lambda: len(seen) == len(connections))
        assert sum(len(request.body) for request in seen) == endpoint._held_bytes
        assert 0 < endpoint._held_bytes <= http_endpoint._HELD_BYTES < len(connections) * size
        for _, writer in connections:
            writer.close()
        await _until(lambda: endpoint._held_bytes == 0)

    _run(scenario, waits=True)


def test_heads_and_requests_that_wait_have_bounds() -> None:
    async def scenario(endpoint: Endpoint, seen: list[Request]) -> None:
        endless = b"GET /x HTTP/1.1\r\nX: " + b"x" * (1 << 20)
        many = b"GET /x HTTP/1.1\r\n\r\n" * 100
        for sent in (endless, many):
            reader, writer = await _connect(endpoint)
            writer.write(sent)
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
        await _until(lambda: not endpoint._connections)

    _run(scenario, waits=True)


def test_a_connection_that_comes_while_others_are_held_is_held_too() -> None:
    async def scenario(endpoint: Endpoint, seen: list[Request]) -> None:
        endpoint.hold(True)
        _, writer = await _connect(endpoint)
        writer.write(_head(1) + b"x")
        await _until(lambda: len(endpoint._connections) == 1)
        (connection,) = endpoint._connections
        assert connection._transport is not None
        assert not connection._transport.is_reading()
        endpoint.hold(False)
        await _until(lambda: len(seen) == 1)
        writer.close()

    _run(scenario)
