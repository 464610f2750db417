"""What is read of very many resources each minute. It runs interpreted only: its block is none of Cloudlet's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.telemetry.metrics import Metrics, get_metrics
from cloudlet.core.telemetry.reporting import make_room

pytestmark = pytest.mark.interpreted


def gauge(call: Callable[..., Awaitable[None]]) -> Metrics:
    """Add what a gauge reads of very many resources, and return what was not sent."""
    block = cast(
        "Block",
        SimpleNamespace(
            attached={},
            service=SimpleNamespace(namespace="AWS/SQS"),
            cloud=SimpleNamespace(has=lambda name: True),
            clock=SimpleNamespace(now=lambda: 60.0),
            call=call,
        ),
    )
    metrics = get_metrics(block)

    async def read() -> None:
        for number in range(30_000):
            metrics.add("111122223333", "us-east-1", "Visible", (("QueueName", str(number)),), 0.0)
            await make_room(block)

    asyncio.run(read())
    return metrics


def test_what_a_gauge_reads_of_very_many_resources_is_sent_before_it_displaces_others() -> None:
    sent: list[int] = []

    async def call(service: str, operation: str, params: dict[str, Any], *, account: str, region: str) -> None:
        sent.append(len(params["MetricData"]))

    metrics = gauge(call)
    assert sum(sent) + len(metrics.take_complete(before=60.0)) == 30_000
    assert max(sent) <= 100, "others wait for as long as it takes to write one of them down"


def test_while_cloudwatch_is_down_a_gauge_tries_to_send_once() -> None:
    tried = 0

    async def call(*_: object, **__: object) -> None:
        nonlocal tried
        tried += 1
        raise AwsError("ServiceUnavailable", "It is down.", status=503)

    metrics = gauge(call)
    assert 0 < tried <= 100
    assert len(metrics.take_complete(before=60.0)) == 20_000
