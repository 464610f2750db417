"""The DNS server: clients on TCP that are silent, or do not listen, hold up nobody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.message

from cloudlet.engines.dns import dns_server
from cloudlet.engines.dns.dns_query import Address, Query
from cloudlet.engines.dns.dns_reply import Reply, make_refusal
from cloudlet.engines.dns.dns_server import MAX_CONNECTIONS, DnsServer

WIRE = dns.message.make_query("example.com", "A").to_wire()
FRAME = len(WIRE).to_bytes(2, "big") + WIRE


class Counting:
    """Large replies, which are counted. Each waits for the loop to go round."""

    def __init__(self) -> None:
        self.count = 0

    async def answer(self, query: Query, address: Address) -> Reply:
        await asyncio.sleep(0)
        self.count += 1
        return Reply(make_refusal(0).flags, records=bytes(60_000))


@asynccontextmanager
async def serving(answer: dns_server.Answer) -> AsyncIterator[int]:
    """Run a server; return its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        for each in (listening, datagrams):
            each.setblocking(False)
        task = asyncio.create_task(DnsServer(answer, datagrams, listening).run())
        try:
            yield listening.getsockname()[1]
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(FRAME)
    size = int.from_bytes(await reader.readexactly(2), "big")
    reply = await reader.readexactly(size)
    writer.close()
    return reply


def test_the_connection_that_was_silent_for_longest_makes_room() -> None:
    async def run() -> None:
        async with serving(lambda query, address: make_refusal(5)) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS)]
            assert (await ask(port))[3] & 15 == 5
            assert await held[0][0].read() == b""
            held[1][1].write(FRAME)
            assert len(await held[1][0].readexactly(2)) == 2
            for _, writer in held:
                writer.close()

    asyncio.run(run())


def test_a_client_that_does_not_listen_is_answered_no_more() -> None:
    async def run() -> None:
        replies = Counting()
        async with serving(replies.answer) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(FRAME * 5_000)
            before = -1
            while before != replies.count:
                before = replies.count
                await asyncio.sleep(0.2)
            assert 0 < replies.count < 1_000
            assert len(await ask(port)) > 60_000
            writer.close()

    asyncio.run(run())
