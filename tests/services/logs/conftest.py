"""CloudWatch Logs of an account, and a Cloudlet whose clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.cloud import Cloud, Config
from cloudlet.core.identity import root
from cloudlet.core.tokens import TokenSealer
from cloudlet.store import Transaction
from cloudlet.testing.server import Aws
from tests.services.sqs.conftest import MovableClock

ACCOUNT, REGION = "111111111111", "eu-west-1"
_SERVICES = frozenset({"logs", "cloudwatch"})


@pytest.fixture
def logs(aws: Aws) -> Any:
    """A client of an account of its own."""
    return aws.client("logs")


class LocalLogs:
    """Calls operations within this process, and moves the clock."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self.clock = MovableClock()
        config = Config(data=folder, services=_SERVICES, durable=False)
        self._cloud = Cloud(config, TokenSealer(b"k" * 32), self.clock)

    @property
    def millis(self) -> int:
        return int(self.clock.now() * 1000)

    def call(self, operation: str, *, service: str = "logs", **params: Any) -> dict[str, Any]:
        """Call an operation and return its result. Raises AwsError."""
        called = self._cloud.call(service, operation, params, principal=root(ACCOUNT), account=ACCOUNT, region=REGION)
        result: Any = self._runner.run(called)
        return dict(result or {})

    def advance(self, seconds: float) -> None:
        """Move the clock, and let what waits for it run."""

        async def move() -> None:
            await self._settle()
            self.clock.advance(seconds)
            await self._settle()

        self._runner.run(move())

    async def _settle(self) -> None:
        for _ in range(300):
            await asyncio.sleep(0)

    def rows(self) -> int:
        """Return how many rows the block's store has."""

        async def count(tx: Transaction) -> int:
            return len(await tx.range(b"\x00", b"\xff", limit=1_000_000))

        async def counted() -> int:
            return await self._cloud.block("logs").store.transact(count)

        return self._runner.run(counted())

    def close(self) -> None:
        self._runner.run(self._cloud.close())
        self._runner.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalLogs]:
    """A Cloudlet in this process, with a clock that stands until it is moved."""
    running = LocalLogs(tmp_path)
    try:
        yield running
    finally:
        running.close()
