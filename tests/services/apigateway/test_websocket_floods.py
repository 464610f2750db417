"""Clients of WebSocket APIs who send frames by the thousand, as whoever reaches an API may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.frames import Opcode

from cloudlet.core.kernel.system_clock import SystemClock
from cloudlet.services.apigateway.websocket.client import Client


class Transport(asyncio.Transport):
    """Keeps what is written, and whether reading is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        pass


class _Session:
    connected = 0.0


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a small frame of a client, with a mask that changes nothing."""
    return bytes([fin << 7 | opcode, 0x80 | len(data)]) + bytes(4) + data


def with_client(scenario: Callable[[Client, Transport, list[bytes]], Awaitable[None]]) -> None:
    async def main() -> None:
        heard: list[bytes] = []
        _Session.connected = SystemClock().now()
        session: Any = _Session()
        client = Client(
            session, SystemClock(), lambda _: None, lambda _, message, __: heard.append(message), lambda *_: None
        )
        transport = Transport()
        client.connection_made(transport)
        try:
            await scenario(client, transport, heard)
        finally:
            client.connection_lost(None)

    asyncio.run(main())


def test_thousands_of_frames_are_not_read_in_one_go() -> None:
    async def scenario(client: Client, transport: Transport, heard: list[bytes]) -> None:
        pongs = 20_000
        client.data_received(frame(Opcode.PING) * pongs + frame(Opcode.TEXT, b"a", fin=False))
        assert transport.paused
        assert len(transport.written) < 4096
        while transport.paused:
            await asyncio.sleep(0)
        assert len(transport.written) == 2 * pongs
        client.data_received(frame(Opcode.CONT, b"b"))
        assert heard == [b"ab"]

    with_client(scenario)


def test_who_does_not_read_is_not_read_from() -> None:
    async def scenario(client: Client, transport: Transport, heard: list[bytes]) -> None:
        client.pause_writing()
        assert transport.paused
        client.data_received(frame(Opcode.PING))
        assert transport.written == b""
        client.resume_writing()
        while transport.paused:
            await asyncio.sleep(0)
        assert transport.written == b"\x8a\x00"

    with_client(scenario)


def test_so_many_messages_are_worked_on_and_no_others_read() -> None:
    async def scenario(client: Client, transport: Transport, heard: list[bytes]) -> None:
        client.data_received(frame(Opcode.TEXT, b"x") * 16)
        client.data_received(frame(Opcode.TEXT, b"y"))
        assert heard == [b"x"] * 16
        assert transport.paused
        client.worked()
        while transport.paused:
            await asyncio.sleep(0)
            if heard[16:]:
                client.worked()
        assert heard[16:] == [b"y"]

    with_client(scenario)


def test_empty_fragments_are_not_kept() -> None:
    async def scenario(client: Client, transport: Transport, heard: list[bytes]) -> None:
        client.data_received(frame(Opcode.TEXT, b"a", fin=False) + frame(Opcode.CONT, fin=False) * 1000)
        assert client._parts == [b"a"]
        client.data_received(frame(Opcode.CONT))
        assert heard == [b"a"]

    with_client(scenario)
