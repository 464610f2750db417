"""Bodies that are in files."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
import uvloop

from cloudlet.edge.clients import Limits
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.http import HttpServer
from cloudlet.edge.listeners import bind, port_of
from cloudlet.edge.tls import local_certificate, server_context
from cloudlet.wire import FileBody, FilePart, HttpRequest, HttpResponse

CONTENT = random.Random(7).randbytes(9_000_000)
PARTS = ((0, 5_000_000), (8_000_000, 1_000_000), (17, 300_001), (4, 0))
EXPECTED = b"".join(CONTENT[offset : offset + size] for offset, size in PARTS)


class Files:
    """Answers each request with parts of a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.closed = 0
        self.changed = asyncio.Event()

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        if request.path == "/small":
            exchange.respond(HttpResponse(200, [], b"small"))
        else:
            parts = [FilePart(self.file, offset, size) for offset, size in PARTS]
            exchange.respond(HttpResponse(200, [], FileBody(parts, self.close)))

    def close(self) -> None:
        self.closed += 1
        self.changed.set()

    async def has_closed(self, times: int) -> None:
        """Return once that many bodies were let go of."""
        async with asyncio.timeout(20):
            while self.closed < times:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.mark.parametrize("secure", [False, True])
def test_files_come_whole_and_in_order_among_other_answers(file: Path, tmp_path: Path, secure: bool) -> None:
    async def main() -> None:
        handler = Files(file)
        server = HttpServer(handler)
        (listening,) = bind("127.0.0.1", 0)
        authority, certificate, key = local_certificate(tmp_path / "tls", "localhost")
        await server.listen(listening, server_context(certificate, key) if secure else None)
        tls = None
        if secure:
            import ssl

            tls = ssl.create_default_context(cafile=str(authority))
        host = "localhost" if secure else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port_of(listening), ssl=tls, server_hostname=host, limit=1 << 24
        )
        writer.write(get("/") + get("/small") + get("/"))
        for expected in (EXPECTED, b"small", EXPECTED):
            head = await reader.readuntil(b"\r\n\r\n")
            assert f"content-length: {len(expected)}\r\n".encode() in head
            assert await reader.readexactly(len(expected)) == expected
        await handler.has_closed(2)
        writer.close()
        await server.stop(0.1)

    uvloop.run(main())


def test_who_leaves_in_the_middle_lets_go_of_the_files(file: Path) -> None:
    async def main() -> None:
        handler = Files(file)
        server = HttpServer(handler)
        (listening,) = bind("127.0.0.1", 0)
        await server.listen(listening)
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(listening))
        writer.write(get("/"))
        await reader.readexactly(100_000)
        writer.transport.abort()
        await handler.has_closed(1)
        await server.stop(0.1)

    uvloop.run(main())


def test_who_takes_nothing_is_hung_up_on(file: Path) -> None:
    async def main() -> None:
        handler = Files(file)
        server = HttpServer(handler, Limits(stalled=1))
        (listening,) = bind("127.0.0.1", 0)
        await server.listen(listening)
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(listening), limit=1000)
        writer.write(get("/"))
        await handler.has_closed(1)
        writer.close()
        await server.stop(0.1)

    uvloop.run(main())


def test_a_file_that_is_shorter_than_said_breaks_the_answer_off(file: Path) -> None:
    async def main() -> None:
        handler = Files(file)
        server = HttpServer(handler)
        (listening,) = bind("127.0.0.1", 0)
        await server.listen(listening)
        os.truncate(file, 8_500_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(listening), limit=1 << 24)
        writer.write(get("/"))
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(len(EXPECTED))
        await handler.has_closed(1)
        writer.close()
        await server.stop(0.1)

    uvloop.run(main())
