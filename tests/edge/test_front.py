"""A request's way through the front door, without a socket."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.core.telemetry.observers import OBSERVERS
from cloudlet.edge.access_keys import KeyRing
from cloudlet.edge.auth import Authenticator
from cloudlet.edge.back_pressure import RequestBody
from cloudlet.edge.clients import Clients, Limits
from cloudlet.edge.connection import Connection
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.front import FrontDoor
from cloudlet.wire import HttpRequest, HttpResponse

ALONE = frozenset({"sqs"})
"""With CloudWatch, it would be imported at some time to be told of the requests, and leave what imports leave."""


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
    """Where a request comes from; keeps the answer."""

    peer, secure, upgradable = "127.0.0.1", False, False

    exchange: Exchange

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = b""
        self.is_broken = False

    def raw_headers_of(self, request: HttpRequest) -> tuple[()]:
        return ()

    def respond(self, exchange: Exchange, response: HttpResponse) -> None:
        if self.is_broken:
            raise RuntimeError("the answer cannot be sent")
        assert self.status is None
        self.status = response.status
        self.body = response.body if isinstance(response.body, bytes) else b""

    def upgrade(self, exchange: Exchange, head: bytes, protocol: asyncio.Protocol) -> None:
        raise AssertionError


@pytest.mark.parametrize("durable", [True, False])
def test_a_request_leaves_nothing_for_the_collector(tmp_path: Path, durable: bool) -> None:
    """What a request held, such as a body of a megabyte, must be gone with it, not at the collector's next run."""

    async def main() -> int:
        tokens = TokenSealer(b"k" * 32)
        cloud = Cloud(Config(data=tmp_path, durable=durable, services=ALONE), tokens, observers=OBSERVERS)
        front = FrontDoor(cloud, Authenticator(KeyRing([], tokens, cloud.permissions), cloud.clock, strict=False))
        connection, transport = Connection(Clients(front, Limits())), Transport()
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


@asynccontextmanager
async def asking(folder: Path, *, durable: bool) -> AsyncIterator[tuple[FrontDoor, Callable[[str, Any], Asker]]]:
    """A front, and what hands it a request to SQS and returns where the answer comes."""
    tokens = TokenSealer(b"k" * 32)
    cloud = Cloud(Config(data=folder, durable=durable), tokens, observers=OBSERVERS)
    front = FrontDoor(cloud, Authenticator(KeyRing([], tokens, cloud.permissions), cloud.clock, strict=False))
    headers = {"host": "localhost", "content-type": "application/x-amz-json-1.0"}

    def ask(operation: str, params: Any) -> Asker:
        asker = Asker()
        of_it = headers | {"x-amz-target": f"AmazonSQS.{operation}"}
        body = json.dumps(params).encode()
        asker.exchange = Exchange(asker, HttpRequest("POST", "/", "", of_it, body), True)
        front.handle(asker.exchange.request, asker.exchange)
        return asker

    try:
        yield front, ask
    finally:
        await cloud.close()


async def answered(*askers: Asker) -> list[int | None]:
    async with asyncio.timeout(20):
        while any(asker.status is None for asker in askers):
            await asyncio.sleep(0)
    return [asker.status for asker in askers]


URL = "http://localhost/000000000000/q"


@pytest.mark.parametrize("durable", [True, False])
def test_of_many_requests_at_once_each_gets_its_own_answer(tmp_path: Path, durable: bool) -> None:
    async def main() -> None:
        async with asking(tmp_path, durable=durable) as (_, ask):
            await answered(ask("CreateQueue", {"QueueName": "q"}))
            # Some are done at once, some once the disk has them, some fail before they are run, some later.
            waiting = [ask("ReceiveMessage", {"QueueUrl": URL, "WaitTimeSeconds": 20}) for _ in range(3)]
            kinds = [
                ("SendMessage", {"QueueUrl": URL, "MessageBody": "x"}, 200),
                ("GetQueueUrl", {"QueueName": "q"}, 200),
                ("SendMessage", {"QueueUrl": URL}, 400),
                ("GetQueueUrl", {"QueueName": "missing"}, 400),
                ("NoSuchOperation", {}, 400),
            ]
            asked = [(ask(operation, params), status) for operation, params, status in kinds * 20]
            assert await answered(*(asker for asker, _ in asked)) == [status for _, status in asked]
            assert await answered(*waiting) == [200, 200, 200]

    asyncio.run(main())


def test_what_nobody_waits_for_any_more_is_not_run(tmp_path: Path) -> None:
    async def main() -> None:
        async with asking(tmp_path, durable=False) as (_, ask):
            await answered(ask("CreateQueue", {"QueueName": "q"}))
            gone = ask("ReceiveMessage", {"QueueUrl": URL, "WaitTimeSeconds": 20})
            gone.exchange.abort()
            await answered(ask("SendMessage", {"QueueUrl": URL, "MessageBody": "x"}))
            received = ask("ReceiveMessage", {"QueueUrl": URL})
            await answered(received)
            assert b"MessageId" in received.body
            assert gone.status is None

    asyncio.run(main())


def test_what_has_arrived_when_all_is_held_waits(tmp_path: Path) -> None:
    async def main() -> None:
        async with asking(tmp_path, durable=False) as (front, ask):
            early = ask("CreateQueue", {"QueueName": "q"})
            front.pause()
            late = ask("ListQueues", {})
            for _ in range(10):
                await asyncio.sleep(0)
            assert early.status is None
            assert late.status is None
            front.resume()
            assert await answered(early, late) == [200, 200]

    asyncio.run(main())


def test_one_that_cannot_be_answered_is_no_affair_of_the_others(tmp_path: Path) -> None:
    async def main() -> None:
        async with asking(tmp_path, durable=False) as (_, ask):
            await answered(ask("CreateQueue", {"QueueName": "q"}))
            for operation, params in (
                ("GetQueueUrl", {"QueueName": "q"}),
                ("GetQueueUrl", {}),
                ("NoSuchOperation", {}),
            ):
                first, broken, last = (ask(operation, params) for _ in range(3))
                broken.is_broken = True
                await answered(first, last)
                assert broken.status is None

    asyncio.run(main())


def test_a_large_body_that_does_not_come_gives_its_place_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with asking(tmp_path, durable=False) as (front, _):
            front.collecting_seconds = 0.01
            headers = {"x-amz-target": "AmazonSQS.ListQueues", "content-length": "2000000"}
            for _ in range(20):
                body, asker = RequestBody(None, None), Asker()
                body.feed(b"{")
                slow = HttpRequest("POST", "/", "", headers, body)
                front.handle(slow, Exchange(asker, slow, True))
                assert await answered(asker) == [408]

    asyncio.run(main())
