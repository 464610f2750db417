"""CloudWatch within the test's own process, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError, Transaction
from cloudlet.core.cloud import Cloud, Config
from cloudlet.core.identity import Principal, root
from cloudlet.core.tokens import TokenSealer
from cloudlet.services.cloudwatch.alarm import scheduled
from tests.services.sqs.conftest import MovableClock

ACCOUNT = "111111111111"
REGION = "eu-west-1"
OWNER = root(ACCOUNT, ACCOUNT)
_SERVICES = frozenset({"cloudwatch", "events", "lambda", "sns", "sqs"})
_PATIENCE_SECONDS = 20


class LocalCloud:
    """Calls operations of CloudWatch as the root of an account, and moves the clock."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self._clock = MovableClock()
        config = Config(data=folder, services=_SERVICES, durable=False)
        self._cloud = Cloud(config, TokenSealer(b"k" * 32), self._clock)

    @property
    def now(self) -> float:
        return self._clock.time

    def call(
        self, operation: str, *, service: str = "cloudwatch", by: Principal = OWNER, **params: Any
    ) -> dict[str, Any]:
        """Call an operation and return its result. Raises AwsError."""
        called = self._cloud.call(service, operation, params, principal=by, account=ACCOUNT, region=REGION)
        return dict(self._runner.run(called) or {})

    def refused(self, operation: str, **params: Any) -> AwsError:
        """Call an operation that is refused; return the error."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        return caught.value

    def put(self, value: float, name: str = "m", *, ago: float = 0, **more: Any) -> None:
        """Put a value of a metric in the namespace N, of so many seconds ago."""
        datum = {"MetricName": name, "Value": value, "Timestamp": self.now - ago, **more}
        self.call("PutMetricData", Namespace="N", MetricData=[datum])

    def statistics(self, begin: float, end: float, period: int, name: str = "m", **more: Any) -> list[dict[str, Any]]:
        """Return the datapoints of a metric."""
        params = {"Namespace": "N", "MetricName": name, "StartTime": begin, "EndTime": end, "Period": period}
        return list(self.call("GetMetricStatistics", **params, **more)["Datapoints"])

    def sums(self, begin: float, end: float, period: int, name: str = "m") -> list[float]:
        return [one["Sum"] for one in self.statistics(begin, end, period, name, Statistics=["Sum"])]

    def advance(self, seconds: float) -> None:
        """Move the clock, and let what waits for it run."""

        async def move() -> None:
            await self._settle()
            self._clock.advance(seconds)
            await self._settle()
            while await self._is_due():
                await asyncio.sleep(0)
            await self._settle()

        self._runner.run(move())

    async def _is_due(self) -> bool:
        """Whether alarms are still to be evaluated now."""
        block = self._cloud.running().get("cloudwatch")
        rows = await block.store.transact(lambda tx: scheduled(tx, 1)) if block is not None else []
        return bool(rows) and rows[0][0] <= self.now * 1000

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the cloud go on until a condition holds. Fails where it never does."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "the condition never held"
            self._runner.run(asyncio.sleep(0.01))

    async def _settle(self) -> None:
        """Let everything that can go on without the clock go on."""
        for _ in range(200):
            await asyncio.sleep(0)

    def rows(self) -> int:
        """Return how many rows the block's store has."""

        async def count(tx: Transaction) -> int:
            return len(await tx.range(b"\x00", b"\xff", limit=1_000_000))

        async def counted() -> int:
            return await self._cloud.block("cloudwatch").store.transact(count)

        return self._runner.run(counted())

    def close(self) -> None:
        self._runner.run(self._cloud.close())
        self._runner.close()


@contextmanager
def local_cloud(folder: Path) -> Iterator[LocalCloud]:
    """Run a Cloudlet until the end of the `with` block."""
    cloud = LocalCloud(folder)
    try:
        yield cloud
    finally:
        cloud.close()
