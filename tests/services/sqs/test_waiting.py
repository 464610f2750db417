"""Long polls by the hundred: they cost nothing while they wait, and each arrival releases one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Server
from tests.services.sqs.conftest import Sqs

WAITING = 100
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(connection: Connection, operation: str, **params: Any) -> dict[str, Any]:
    reader, writer = connection
    body = json.dumps(params)
    writer.write(
        f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.{operation}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = int(head.split("content-length: ")[1].split("\r\n")[0])
    answer: dict[str, Any] = json.loads(await reader.readexactly(size))
    return answer


def test_an_arrival_releases_one(tmp_path: Path) -> None:
    async def scenario(server: Server) -> None:
        port = int(server.endpoint.rpartition(":")[2])

        async def connect() -> Connection:
            return await asyncio.open_connection("127.0.0.1", port)

        sender = await connect()
        url = (await ask(sender, "CreateQueue", QueueName="q"))["QueueUrl"]
        connections = [await connect() for _ in range(WAITING)]
        polls = {
            asyncio.create_task(ask(connection, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
            for connection in connections
        }
        # The server has them all once it has answered what came after them.
        await asyncio.sleep(0)
        await ask(sender, "ListQueues")
        assert not [poll for poll in polls if poll.done()]

        await ask(sender, "SendMessage", QueueUrl=url, MessageBody="first")
        done, polls = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        assert [poll.result()["Messages"][0]["Body"] for poll in done] == ["first"]

        for number in range(len(polls)):
            await ask(sender, "SendMessage", QueueUrl=url, MessageBody=str(number))
        done, _ = await asyncio.wait(polls)
        assert sorted(int(poll.result()["Messages"][0]["Body"]) for poll in done) == list(range(len(done)))

    with Server.start("--data", str(tmp_path)) as server:
        asyncio.run(scenario(server))


def test_waiting_takes_no_transactions(sqs: Sqs, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqs.queue()
    block = sqs.cloud.block("sqs")
    bodies: list[Any] = []
    submit = block.store.submit

    def noting(body: Any, done: Any) -> None:
        bodies.append(body)
        submit(body, done)

    async def scenario() -> None:
        polls = {
            asyncio.create_task(sqs.calling("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20)) for _ in range(WAITING)
        }
        while len(block.lines) < WAITING:
            await asyncio.sleep(0)
        monkeypatch.setattr(block.store, "submit", noting)
        await sqs.settle()
        assert not bodies
        await sqs.calling("SendMessage", QueueUrl=url, MessageBody="first")
        done, polls = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        assert [poll.result()["Messages"][0]["Body"] for poll in done] == ["first"]
        await sqs.settle()
        assert len(bodies) < 10
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    sqs.run(scenario())
