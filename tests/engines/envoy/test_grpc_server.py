"""The server of gRPC streams, before clients that keep to no rules."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import h2.config
import h2.connection
import h2.events

from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.envoy.resource_parts import ADS
from cloudlet.engines.envoy.snapshot import Resource, Snapshot
from tests.engines.envoy.test_configuration import run

_DISCOVER: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_HEADERS: Final = [(":method", "POST"), (":scheme", "http"), (":path", _DISCOVER), (":authority", "x")]
_SETTINGS: Final = bytes.fromhex("000000040000000000")


def make_cluster(name: str) -> Resource:
    return {"name": name, "type": "EDS", "eds_cluster_config": {"eds_config": ADS}, "connect_timeout": "1s"}


class Client:
    """A client of one call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.http.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.http.data_to_send())

    async def ask(self, message: bytes) -> dict[str, str]:
        """Make a call with a message; return the headers of its answer."""
        self.http.send_headers(1, _HEADERS)
        self.http.send_data(1, struct.pack("!BI", 0, len(message)) + message)
        self.flush()
        while True:
            for event in self.http.receive_data(await self._reader.read(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    return {str(name): str(value) for name, value in event.headers or ()}


def serve(scenario: Callable[[Callable[[], Awaitable[Client]]], Awaitable[None]]) -> None:
    """Run a scenario with a function that connects to a server."""

    async def within() -> None:
        server = ConfigurationServer()
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        await server.listen(listening)

        async def connect() -> Client:
            return Client(*await asyncio.open_connection("127.0.0.1", port))

        try:
            await scenario(connect)
        finally:
            await server.close()

    run(within)


def test_what_is_no_message_is_refused() -> None:
    async def scenario(connect: Callable[[], Awaitable[Client]]) -> None:
        assert (await (await connect()).ask(b"\xff\xff"))["grpc-status"] == "3"
        assert (await (await connect()).ask(b""))["grpc-status"] == "5"

    serve(scenario)


def test_headers_that_are_no_text_end_their_connection_alone() -> None:
    async def scenario(connect: Callable[[], Awaitable[Client]]) -> None:
        client, other = await connect(), await connect()
        block = client.http.encoder.encode([*_HEADERS, (b"x", b"\xff")])
        client.writer.write(struct.pack("!I", len(block))[1:] + b"\x01\x04\0\0\0\x01" + block)
        await client._reader.read()
        assert (await other.ask(b""))["grpc-status"] == "5"

    serve(scenario)


async def measure_turn(work: Coroutine[Any, Any, object]) -> float:
    """Return the longest turn of the event loop during a work, in the processor's time: others may have the machine."""
    turns = [0.0]

    async def watch() -> None:
        while True:
            started = time.thread_time()
            await asyncio.sleep(0)
            turns.append(time.thread_time() - started)

    watching = asyncio.ensure_future(watch())
    await asyncio.ensure_future(work)
    watching.cancel()
    return max(turns)


def test_a_flood_holds_up_nobody() -> None:
    async def scenario(connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        client.writer.write(_SETTINGS * 20_000)
        assert await measure_turn(client.ask(b"")) < 0.05

    serve(scenario)


def test_a_large_configuration_holds_up_nobody() -> None:
    clusters = {f"c{number}": make_cluster(f"c{number}") for number in range(5000)}

    async def scenario() -> None:
        server = ConfigurationServer()
        await server.encode("node", Snapshot())
        assert await measure_turn(server.encode("node", Snapshot(clusters=clusters))) < 0.05
        await server.close()

    run(scenario)
