"""What blocks measure of themselves, until it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from cloudlet.core.block import Block
from cloudlet.core.errors import AwsError
from cloudlet.core.metrics import Metrics, Series, make_room

QUEUE = (("QueueName", "orders"),)


def add(metrics: Metrics, value: float, now: float, count: int = 1, account: str = "111122223333") -> None:
    metrics.add(account, "us-east-1", "SentMessageSize", QUEUE, now, value, unit="Bytes", count=count)


def test_values_are_counted_by_metric_and_minute() -> None:
    metrics = Metrics("AWS/SQS")
    add(metrics, 10.0, 120.0)
    add(metrics, 10.0, 179.9, count=2)
    add(metrics, 30.0, 130.0)
    add(metrics, 7.0, 180.0)
    taken = metrics.take(before=180.0)
    assert [series.minute for series in taken] == [120]
    ((series, values),) = taken.items()
    assert values.datum(series) == {
        "MetricName": "SentMessageSize",
        "Unit": "Bytes",
        "Timestamp": 120,
        "Dimensions": [{"Name": "QueueName", "Value": "orders"}],
        "Values": [10.0, 30.0],
        "Counts": [3.0, 1.0],
    }
    assert [series.minute for series in metrics.take(before=240.0)] == [180]
    assert not metrics.take(before=1e9)


def test_many_different_values_become_statistics() -> None:
    metrics = Metrics("AWS/SQS")
    for value in range(1000):
        add(metrics, float(value), 0.0)
    ((series, values),) = metrics.take(before=60.0).items()
    datum = values.datum(series)
    assert "Values" not in datum
    assert datum["StatisticValues"] == {"SampleCount": 1000.0, "Sum": 499_500.0, "Minimum": 0.0, "Maximum": 999.0}


def test_what_could_not_be_sent_is_taken_again() -> None:
    metrics = Metrics("AWS/SQS")
    add(metrics, 1.0, 0.0)
    taken = metrics.take(before=60.0)
    metrics.put_back(taken)
    assert metrics.take(before=60.0) == taken


def test_the_number_of_series_is_bounded() -> None:
    metrics = Metrics("AWS/SQS")
    for number in range(30_000):
        add(metrics, 1.0, 0.0, account=str(number))
    taken = metrics.take(before=60.0)
    assert len(taken) == 20_000
    assert Series("0", "us-east-1", "SentMessageSize", "Bytes", QUEUE, 0) in taken


def gauge(metrics: Metrics, call: Callable[..., Awaitable[None]]) -> None:
    """Add what a gauge reads of very many resources."""
    block = cast("Block", SimpleNamespace(metrics=metrics, clock=SimpleNamespace(now=lambda: 60.0), call=call))

    async def read() -> None:
        for number in range(30_000):
            metrics.add("111122223333", "us-east-1", "Visible", (("QueueName", str(number)),), 0.0)
            await make_room(block)

    asyncio.run(read())


def test_what_a_gauge_reads_of_very_many_resources_is_sent_before_it_displaces_others() -> None:
    metrics = Metrics("AWS/SQS")
    sent: list[int] = []

    async def call(service: str, operation: str, params: dict[str, Any], *, account: str, region: str) -> None:
        sent.append(len(params["MetricData"]))

    gauge(metrics, call)
    assert sum(sent) + len(metrics.take(before=60.0)) == 30_000
    assert max(sent) <= 100, "others wait for as long as it takes to write one of them down"


def test_while_cloudwatch_is_down_a_gauge_tries_to_send_once() -> None:
    metrics = Metrics("AWS/SQS")
    tried = 0

    async def call(*_: object, **__: object) -> None:
        nonlocal tried
        tried += 1
        raise AwsError("ServiceUnavailable", "It is down.", status=503)

    gauge(metrics, call)
    assert 0 < tried <= 100
    assert len(metrics.take(before=60.0)) == 20_000
