"""The way of datagrams into a network, here over sockets of the machine."""

from __future__ import annotations

import asyncio
import socket

from cloudlet.engines.network.datagram_ingress import DatagramIngress


def _open(address: str = "127.0.0.1") -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 0))
    made.settimeout(10)
    return made


def test_each_sender_gets_its_own_answers() -> None:
    async def scenario() -> None:
        server, listener = _open(), _open()
        place, listener_place = server.getsockname(), listener.getsockname()
        listener.setblocking(False)

        async def open_other() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setblocking(False)
            return made

        def answer() -> None:
            for _ in range(4):
                data, sender = server.recvfrom(100)
                server.sendto(data.upper(), sender)

        def ask(client: socket.socket, text: bytes) -> bytes:
            client.sendto(text, listener_place)
            return client.recv(100)

        ingress = DatagramIngress(listener, place, open_other)
        answering = asyncio.create_task(asyncio.to_thread(answer))
        first, second = _open(), _open()
        for text in (b"one", b"two"):
            asked = [asyncio.to_thread(ask, client, text + name) for client, name in ((first, b"a"), (second, b"b"))]
            assert await asyncio.gather(*asked) == [(text + b"a").upper(), (text + b"b").upper()]
        await answering
        await ingress.close()
        assert listener.fileno() == -1
        for each in (server, first, second):
            each.close()

    asyncio.run(scenario())
