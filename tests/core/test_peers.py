"""Calls of blocks that run elsewhere."""

from __future__ import annotations

import asyncio

from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.peers import Peers
from cloudlet.core.kernel.system_clock import SystemClock
from cloudlet.core.kernel.tokens import TokenSealer

_SLOW = 100
_ANSWER = b"\xa0"
"""An empty map, in CBOR."""


def test_calls_that_take_long_leave_room_for_others() -> None:
    async def scenario() -> None:
        arrived, all_arrived, end = 0, asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal arrived
            await reader.readuntil(b"\r\n\r\n")
            arrived += 1
            if arrived == _SLOW:
                all_arrived.set()
            await end.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(_ANSWER) + _ANSWER)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=_SLOW)
        port = server.sockets[0].getsockname()[1]
        peers = Peers(TokenSealer(b"k" * 32), SystemClock())
        caller = make_principal("service", "111122223333", "events.amazonaws.com", "events", "")
        async with asyncio.TaskGroup() as group:
            for _ in range(_SLOW):
                calling = peers.call(
                    f"http://127.0.0.1:{port}", "sqs", "ListQueues", {}, principal=caller, region="us-east-1"
                )
                group.create_task(calling)
            async with asyncio.timeout(20):
                await all_arrived.wait()
            end.set()
        await peers.close()
        server.close()

    asyncio.run(scenario())
