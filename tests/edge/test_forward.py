"""The way of a request from the front door to a block that runs in a process of its own, and back."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import uvloop

from cloudlet.edge.exchange import Exchange
from cloudlet.edge.forward import Forwarder
from cloudlet.edge.http import HttpServer
from cloudlet.edge.listeners import bind, port_of
from cloudlet.wire import HttpRequest, HttpResponse


class Door:
    """Passes all requests on."""

    def __init__(self, path: Path) -> None:
        self._forwarder = Forwarder(str(path))

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        self._forwarder.forward(request, exchange, lambda: exchange.respond(HttpResponse(503, [], b"")))


class Block:
    """Answers as soon as it has a request's head."""

    def __init__(self) -> None:
        self.answer = HttpResponse(403, [], b"no")
        self.headers: list[dict[str, str]] = []
        """Of the requests that came."""

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        self.headers.append(dict(request.headers))
        exchange.respond(self.answer)


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    made.setblocking(False)
    return made


def test_a_block_that_has_answered_takes_the_rest_of_the_body_until_the_front_door_hangs_up(tmp_path: Path) -> None:
    path = tmp_path / "block"

    async def main() -> None:
        block = HttpServer(Block())
        await block.listen(listening(path), forwarded=True)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 403")
        # Where it has hung up, this fails; to look at what it has answered would be too late then.
        for _ in range(3):
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        await block.stop(10)

    uvloop.run(main())


def passed_on(asked: bytes, answering: Block, path: Path) -> bytes:
    """Return the answer to what the front door is asked."""

    async def main() -> bytes:
        block, door = HttpServer(answering), HttpServer(Door(path))
        await block.listen(listening(path), forwarded=True)
        (outside,) = bind("127.0.0.1", 0)
        port = port_of(outside)
        await door.listen(outside)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        answer = await reader.read()
        writer.close()
        await asyncio.gather(block.stop(10), door.stop(10))
        return answer

    return uvloop.run(main())


def test_a_block_knows_which_headers_are_not_to_be_sent_on(tmp_path: Path) -> None:
    block = Block()
    passed_on(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close, X-Hop\r\nx-hop: 1\r\n\r\n", block, tmp_path / "block")
    (headers,) = block.headers
    assert (headers["connection"], headers["x-hop"]) == ("X-Hop", "1")


def test_headers_come_back_byte_by_byte(tmp_path: Path) -> None:
    block = Block()
    sent = {"x-utf-8": "Köln", "x-no-utf-8": b"\xe9".decode("utf-8", "surrogateescape")}
    block.answer = HttpResponse(200, list(sent.items()), b"")
    answer = passed_on(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", block, tmp_path / "block")
    assert "\r\nx-utf-8: Köln\r\n".encode() in answer
    assert b"\r\nx-no-utf-8: \xe9\r\n" in answer


class Gone:
    """A client that went away while its request was on its way."""

    peer = "127.0.0.1"
    secure = False
    upgradable = True

    def raw_headers_of(self, request: HttpRequest) -> tuple[()]:
        return ()

    def respond(self, exchange: Exchange, response: HttpResponse) -> None:
        pass

    def upgrade(self, exchange: Exchange, head: bytes, protocol: asyncio.Protocol) -> None:
        pass


def test_a_block_is_hung_up_on_where_a_client_that_leaves_http_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "block"

    async def main() -> None:
        ended = asyncio.Event()

        async def block(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            ended.set()
            writer.close()

        server = await asyncio.start_unix_server(block, str(path))
        request = HttpRequest("GET", "/", "", {"host": "a"})
        exchange = Exchange(Gone(), request, True)
        exchange.abort()
        Forwarder(str(path)).tunnel(request, exchange, lambda: None)
        await asyncio.wait_for(ended.wait(), 60)
        server.close()

    asyncio.run(main())
