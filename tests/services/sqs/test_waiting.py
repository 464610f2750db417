"""Long polls by the hundred: they cost nothing while they wait, and each arrival releases one at once."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Server

WAITING = 500
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


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_waiting_costs_no_processor_time_and_an_arrival_releases_one(tmp_path: Path) -> None:
    async def scenario(server: Server) -> None:
        assert server.process is not None
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
        before = processor_seconds(server.process.pid)
        await asyncio.sleep(1.5)
        assert processor_seconds(server.process.pid) - before < 0.3
        assert not [poll for poll in polls if poll.done()]

        await ask(sender, "SendMessage", QueueUrl=url, MessageBody="first")
        done, polls = await asyncio.wait(polls, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert [poll.result()["Messages"][0]["Body"] for poll in done] == ["first"]

        for number in range(len(polls)):
            await ask(sender, "SendMessage", QueueUrl=url, MessageBody=str(number))
        done, polls = await asyncio.wait(polls, timeout=20)
        assert not polls
        assert sorted(int(poll.result()["Messages"][0]["Body"]) for poll in done) == list(range(len(done)))

    with Server.start("--data", str(tmp_path)) as server:
        asyncio.run(scenario(server))
