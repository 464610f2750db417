"""Cloudlet's own paths."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.errors import unavailable
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.edge.admin_api import AdminApi
from cloudlet.edge.chunked import WholeBody
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.instances import ADMIN_HEADER
from cloudlet.edge.reports import OneProcess
from cloudlet.wire import HttpRequest, HttpResponse
from cloudlet.wire.http import BodyStream


def test_a_page_of_a_block_that_cannot_be_opened_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(name: str) -> Block:
        raise unavailable()

    async def scenario() -> HttpResponse:
        cloud = Cloud(Config(data=tmp_path, durable=False), TokenSealer(b"k" * 32))
        monkeypatch.setattr(cloud, "block", refused)
        answered: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()

        class Client:
            def respond(self, exchange: Exchange, response: HttpResponse) -> None:
                answered.set_result(response)

        client: Any = Client()
        request = HttpRequest("GET", "/_cloudlet/sns/sms", "", {}, b"")
        internal = AdminApi(cloud, OneProcess(cloud, 4566), None, None, None, "token")
        internal.handle(request, Exchange(client, request, True))
        async with asyncio.timeout(10):
            return await answered

    assert asyncio.run(scenario()).status == 503
    assert "Traceback" not in caplog.text


def test_a_body_that_arrives_later_is_read(tmp_path: Path) -> None:
    assert asyncio.run(_ask_for_events(tmp_path, WholeBody(b"no JSON"))) == 400
    assert asyncio.run(_ask_for_events(tmp_path, WholeBody(b'{"MaxResults": 1}'))) == 200
    assert asyncio.run(_ask_for_events(tmp_path, WholeBody(b" " * (2 << 20)))) == 413


async def _ask_for_events(folder: Path, body: BodyStream) -> int:
    """Ask what CloudTrail has recorded; return the status of the answer."""
    cloud = Cloud(Config(data=folder, durable=False), TokenSealer(b"k" * 32))
    answered: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()

    class Client:
        def respond(self, exchange: Exchange, response: HttpResponse) -> None:
            answered.set_result(response)

    client: Any = Client()
    path = "/_cloudlet/cloudtrail/111111111111/us-east-1/LookupEvents"
    request = HttpRequest("POST", path, "", {ADMIN_HEADER: "token"}, body)
    internal = AdminApi(cloud, OneProcess(cloud, 4566), None, None, None, "token")
    internal.handle(request, Exchange(client, request, True))
    try:
        async with asyncio.timeout(10):
            return (await answered).status
    finally:
        await cloud.close()
