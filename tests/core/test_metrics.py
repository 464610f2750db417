"""What blocks measure of themselves, until it is sent."""

from __future__ import annotations

from cloudlet.core.telemetry.metrics import Metrics, Series

QUEUE = (("QueueName", "orders"),)


def add(metrics: Metrics, value: float, now: float, count: int = 1, account: str = "111122223333") -> None:
    metrics.add(account, "us-east-1", "SentMessageSize", QUEUE, now, value, unit="Bytes", count=count)


def test_values_are_counted_by_metric_and_minute() -> None:
    metrics = Metrics("AWS/SQS")
    add(metrics, 10.0, 120.0)
    add(metrics, 10.0, 179.9, count=2)
    add(metrics, 30.0, 130.0)
    add(metrics, 7.0, 180.0)
    taken = metrics.take_complete(before=180.0)
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
    assert [series.minute for series in metrics.take_complete(before=240.0)] == [180]
    assert not metrics.take_complete(before=1e9)


def test_many_different_values_become_statistics() -> None:
    metrics = Metrics("AWS/SQS")
    for value in range(1000):
        add(metrics, float(value), 0.0)
    ((series, values),) = metrics.take_complete(before=60.0).items()
    datum = values.datum(series)
    assert "Values" not in datum
    assert datum["StatisticValues"] == {"SampleCount": 1000.0, "Sum": 499_500.0, "Minimum": 0.0, "Maximum": 999.0}


def test_what_could_not_be_sent_is_taken_again() -> None:
    metrics = Metrics("AWS/SQS")
    add(metrics, 1.0, 0.0)
    taken = metrics.take_complete(before=60.0)
    metrics.requeue(taken)
    assert metrics.take_complete(before=60.0) == taken


def test_the_number_of_series_is_bounded() -> None:
    metrics = Metrics("AWS/SQS")
    for number in range(30_000):
        add(metrics, 1.0, 0.0, account=str(number))
    taken = metrics.take_complete(before=60.0)
    assert len(taken) == 20_000
    assert Series("0", "us-east-1", "SentMessageSize", "Bytes", QUEUE, 0) in taken
