"""A request's way through the front door, without a socket."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.cloud import Cloud, Config
from cloudlet.core.tokens import TokenSealer
from cloudlet.edge.auth import Authenticator
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.front import Front
from cloudlet.edge.http import Connection, HttpServer
from cloudlet.edge.keys import KeyRing
from cloudlet.edge.link import Asked
from cloudlet.wire import HttpRequest, HttpResponse


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else None

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None: ...


def request(operation: str, **params: Any) -> bytes:
    body = json.dumps(params)
    return (
        f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.{operation}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Asker:
    """Where what a reader asks comes from; keeps the answer."""

    peer, secure, upgradable = "127.0.0.1", False, False

    def __init__(self) -> None:
        self.status: int | None = None

    def respond(self, exchange: Exchange, response: HttpResponse) -> None:
        self.status = response.status

    def upgrade(self, exchange: Exchange, head: bytes, protocol: asyncio.Protocol) -> None:
        raise AssertionError


def test_what_a_reader_asks_leaves_nothing_for_the_collector_either(tmp_path: Path) -> None:
    async def main() -> int:
        tokens = TokenSealer(b"k" * 32)
        cloud = Cloud(Config(data=tmp_path), tokens)
        front = Front(cloud, Authenticator(KeyRing([], tokens), cloud.clock, strict=False))
        principal = ("root", "000000000000", "arn:aws:iam::000000000000:root", "000000000000", "000000000000")

        async def ask(operation: str, **params: Any) -> None:
            headers = {"host": "localhost", "content-type": "application/x-amz-json-1.0"}
            body = json.dumps(params).encode()
            route = ("sqs", "json", operation)
            asked = Asked(1, route, None, "us-east-1", principal, None, "", "POST", "/", "", headers, body, True)
            asker = Asker()
            front.handle_asked(asked, Exchange(asker, HttpRequest("POST", "/", "", headers, body), True))
            while asker.status is None:
                await asyncio.sleep(0)
            assert asker.status == 200

        await ask("CreateQueue", QueueName="q")
        url = "http://localhost/000000000000/q"
        await ask("SendMessage", QueueUrl=url, MessageBody="x")
        await ask("ReceiveMessage", QueueUrl=url)
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                await ask("SendMessage", QueueUrl=url, MessageBody="x" * 1000)
                await ask("ReceiveMessage", QueueUrl=url)
            return gc.collect()
        finally:
            gc.enable()
            await cloud.close()

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("durable", [True, False])
def test_a_request_leaves_nothing_for_the_collector(tmp_path: Path, durable: bool) -> None:
    """What a request held, such as a body of a megabyte, must be gone with it, not at the collector's next run."""

    async def main() -> int:
        tokens = TokenSealer(b"k" * 32)
        cloud = Cloud(Config(data=tmp_path, durable=durable), tokens)
        front = Front(cloud, Authenticator(KeyRing([], tokens), cloud.clock, strict=False))
        connection, transport = Connection(HttpServer(front)), Transport()
        connection.connection_made(transport)  # type: ignore[arg-type]

        async def ask(operation: str, **params: Any) -> None:
            transport.written = b""
            connection.data_received(request(operation, **params))
            while not transport.written:
                await asyncio.sleep(0)
            assert transport.written.startswith(b"HTTP/1.1 200 "), transport.written

        url = "http://localhost/000000000000/q"
        await ask("CreateQueue", QueueName="q")
        for operation, params in (("SendMessage", {"MessageBody": "x"}), ("ReceiveMessage", {})):
            await ask(operation, QueueUrl=url, **params)
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                await ask("SendMessage", QueueUrl=url, MessageBody="x" * 1000)
                await ask("ReceiveMessage", QueueUrl=url)
            return gc.collect()
        finally:
            gc.enable()
            await cloud.close()

    assert asyncio.run(main()) == 0
