"""What applications answer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from cloudlet.edge import data_plane
from cloudlet.edge.clients import Clients, Limits
from cloudlet.edge.connection import Connection
from cloudlet.edge.data_plane_routing import DataPlaneRoute
from cloudlet.wire import HttpResponse


class _Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def get_extra_info(self, name: str) -> Any:
        return None

    def write(self, data: bytes) -> None:
        self.written += data


def test_an_answer_that_cannot_be_sent_is_an_error_and_keeps_nobody_waiting() -> None:
    async def web(block: Any, visit: Any) -> HttpResponse:
        return HttpResponse(200, [("x-name", "\ud800")], b"hi")

    async def main() -> bytes:
        block = SimpleNamespace(service=SimpleNamespace(web=web))
        front: Any = SimpleNamespace(cloud=SimpleNamespace(block=lambda name: block))
        handler: Any = SimpleNamespace(
            handle=lambda request, exchange: data_plane.answer(
                front, DataPlaneRoute("lambda", "id", "/", ""), request, exchange, lambda: None
            )
        )
        transport: Any = _Transport()
        connection = Connection(Clients(handler, Limits()))
        connection.connection_made(transport)
        connection.data_received(b"GET / HTTP/1.1\r\nhost: id.lambda-url.us-east-1.on.aws\r\n\r\n")
        async with asyncio.timeout(10):
            while not transport.written:
                await asyncio.sleep(0)
        return bytes(transport.written)

    assert asyncio.run(main()).startswith(b"HTTP/1.1 500 ")
