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
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.reports import OneProcess
from cloudlet.wire import HttpRequest, HttpResponse


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
