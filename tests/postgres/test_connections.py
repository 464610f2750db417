"""Connections of EventBridge where two processes run it on one PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.services.events import authorizing
from tests.in_process import MovableClock
from tests.postgres.server import fresh_database
from tests.services.events.endpoint import Answer, Request, endpoint

ACCOUNT, REGION = "111111111111", "eu-west-1"


def test_one_process_asks_for_the_token_of_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two processes share no locks.
    monkeypatch.setattr(authorizing, "_fetching", SimpleNamespace(setdefault=lambda connection, lock: lock))
    asked: list[str] = []
    released = threading.Event()

    def answer(request: Request) -> Answer:
        asked.append(request.path)
        released.wait()
        return 200, {}, json.dumps({"access_token": "token"}).encode()

    async def main(url: str) -> None:
        # As the clock stands, whoever has a lease keeps it.
        clock = MovableClock()
        clouds = [Cloud(config, TokenSealer(b"k" * 32), clock) for _ in range(2)]

        async def call(number: int, operation: str, **params: Any) -> Any:
            caller = root(ACCOUNT)
            return await clouds[number].call(
                "events", operation, params, principal=caller, account=ACCOUNT, region=REGION
            )

        async def connect(number: int, name: str) -> None:
            """Create a connection; return once its token is asked for."""
            client = {"ClientID": "me", "ClientSecret": "s3cret"}
            own = {"ClientParameters": client, "AuthorizationEndpoint": f"{url}/{name}", "HttpMethod": "POST"}
            parameters = {"OAuthParameters": own}
            await call(
                number,
                "CreateConnection",
                Name=name,
                AuthorizationType="OAUTH_CLIENT_CREDENTIALS",
                AuthParameters=parameters,
            )
            while f"/{name}" not in asked:
                await asyncio.sleep(0.01)

        for cloud in clouds:
            cloud.block("events")
        try:
            for number, name in enumerate(("first", "second")):
                await connect(number, name)
            released.set()
            for name in ("first", "second"):
                while (await call(0, "DescribeConnection", Name=name))["ConnectionState"] != "AUTHORIZED":
                    await asyncio.sleep(0.01)
        finally:
            await asyncio.gather(*(cloud.close() for cloud in clouds))

    config = Config(data=tmp_path, store=fresh_database(), durable=False)
    with endpoint() as there:
        there.answer = answer
        asyncio.run(main(there.url))
    assert asked == ["/first", "/second"]
