"""Bodies of requests: who sends slowly keeps nobody else from sending."""

from __future__ import annotations

import asyncio
import socket

import pytest

from cloudlet.services.apigateway import bodies
from cloudlet.services.apigateway.answers import Refused
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint


def test_bodies_that_do_not_come_keep_nobody_waiting(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    cloud.route(api, "POST /", cloud.to_url(api, endpoint.url))
    head = f"POST /_aws/execute-api/{api}/ HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n".encode()
    slow = [socket.create_connection((cloud.host, cloud.port)) for _ in range(40)]
    try:
        for client in slow:
            client.sendall(head + b"x" * 200_000)
        assert cloud.ask(api, method="POST", body=b"x" * 3_000_000).status == 200
    finally:
        for client in slow:
            client.close()


def test_a_body_that_is_too_large(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    endpoint.paths["/short"] = {}
    cloud.route(api, "POST /", cloud.to_url(api, f"{endpoint.url}/short"))
    assert cloud.ask(api, method="POST", body=b"x" * (10 << 20)).status == 200
    answer = cloud.ask(api, method="POST", body=b"x" * ((10 << 20) + 1))
    assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})


def test_room_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MOST_BYTES", 100)
    monkeypatch.setattr(bodies, "_PATIENCE_SECONDS", 0.05)

    async def taken() -> None:
        room = bodies._Room()
        await room.take("a", 50)
        await room.take("b", 30)
        with pytest.raises(Refused):
            await room.take("c", 30)
        monkeypatch.setattr(bodies, "_PATIENCE_SECONDS", 30.0)
        waiting = asyncio.create_task(room.take("c", 30))
        await asyncio.sleep(0)
        assert not waiting.done()
        room.give_back("a", 50)
        await waiting
        room.give_back("c", 30)
        room.give_back("b", 30)
        await room.take("c", 50)
        await room.take("b", 50)

    asyncio.run(taken())


def test_an_account_has_half_of_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MOST_BYTES", 100)

    async def taken() -> None:
        room = bodies._Room()
        await room.take("a", 40)
        waiting = asyncio.create_task(room.take("a", 20))
        await asyncio.sleep(0)
        await room.take("b", 50)
        assert not waiting.done()
        room.give_back("a", 40)
        await waiting

    asyncio.run(taken())
