"""How long values are kept, and at which resolution; that folding changes no answer; what a crash leaves."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.identity import Principal
from cloudlet.services.cloudwatch import directory
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.cloudwatch.local import ACCOUNT, LocalCloud

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize("folded", [False, True])
def test_resolutions_are_kept_as_long_as_documented(cloud: LocalCloud, folded: bool) -> None:
    start = cloud.now // DAY * DAY + 3 * HOUR
    cloud.advance(start - cloud.now)
    for second in range(0, 600, 30):
        cloud.put(1, StorageResolution=1, ago=600 - second)
    begin, end = start - 600, start
    if folded:
        cloud.advance(2000)

    def found(period: int) -> int:
        return len(cloud.sums(begin, end, period))

    assert found(30) == 20
    cloud.advance(start + 3 * HOUR - 300 - cloud.now)
    assert found(30) == 10
    cloud.advance(HOUR)
    assert (found(30), found(60), found(300)) == (0, 10, 2)
    cloud.advance(start + 15 * DAY - 300 - cloud.now)
    assert (found(60), found(300), cloud.sums(begin - HOUR, end, HOUR)) == (5, 2, [20])
    cloud.advance(DAY)
    assert (found(60), found(300)) == (0, 2)
    cloud.advance(start + 64 * DAY - cloud.now)
    assert (found(60), cloud.sums(begin // HOUR * HOUR, end, 300)) == (0, [])
    assert cloud.sums(begin // HOUR * HOUR, end, HOUR) == [20]
    cloud.advance(start + 456 * DAY - cloud.now)
    assert cloud.sums(begin // HOUR * HOUR, end, HOUR) == []


def test_nothing_is_left_of_what_is_too_old(cloud: LocalCloud) -> None:
    empty = cloud.rows()
    for number in range(30):
        cloud.put(number, ago=number * 40, StorageResolution=1)
        cloud.put(number, ago=number * 40)
    for _ in range(100):
        cloud.advance(5 * DAY)
    # The job's lease is there.
    assert cloud.rows() <= empty + 1


def test_folding_changes_no_answer(cloud: LocalCloud) -> None:
    chance = random.Random(7)
    start = cloud.now // HOUR * HOUR
    kept: dict[int, list[float]] = {}
    asked = {"Statistics": ["SampleCount", "Sum", "Minimum", "Maximum"]}

    def check(period: int) -> None:
        expected: dict[int, list[float]] = {}
        for time, values in kept.items():
            expected.setdefault(int((time - start) // period * period + start), []).extend(values)
        plain = cloud.statistics(start, start + DAY, period, **asked)
        assert [one["Timestamp"] for one in plain] == sorted(expected)
        for one in plain:
            values = expected[one["Timestamp"]]
            assert (one["SampleCount"], one["Minimum"], one["Maximum"]) == (len(values), min(values), max(values))
            assert one["Sum"] == pytest.approx(math.fsum(values))
        for one in cloud.statistics(start, start + DAY, period, ExtendedStatistics=["p75"]):
            values = sorted(expected[one["Timestamp"]])
            assert one["ExtendedStatistics"]["p75"] == values[math.ceil(len(values) * 0.75) - 1]

    for _ in range(12):
        for _ in range(20):
            ago, value = chance.choice((0, 0, 30, 90, 1000, 7000)), float(chance.randrange(1, 50))
            if cloud.now - ago >= start:
                cloud.put(value, ago=ago, StorageResolution=chance.choice((1, 60)))
                kept.setdefault(int(cloud.now - ago), []).append(value)
            cloud.advance(chance.choice((1, 7, 61)))
        for period in (60, 300, 3600, 180):
            check(period)
        cloud.advance(400)


def test_a_service_may_use_namespaces_of_aws(cloud: LocalCloud) -> None:
    service = Principal("service", ACCOUNT, "sqs.amazonaws.com", "sqs")
    data = [{"MetricName": "NumberOfMessagesSent", "Value": 1}]
    cloud.call("PutMetricData", by=service, Namespace="AWS/SQS", MetricData=data)
    assert cloud.refused("PutMetricData", Namespace="AWS/SQS", MetricData=data).code == "InvalidParameterValueException"


def test_metrics_are_listed_for_two_weeks_and_found_for_longer(cloud: LocalCloud) -> None:
    begin = cloud.now // HOUR * HOUR
    cloud.put(1)
    cloud.advance(4 * HOUR)
    assert len(cloud.call("ListMetrics", Namespace="N")["Metrics"]) == 1
    assert cloud.call("ListMetrics", Namespace="N", RecentlyActive="PT3H")["Metrics"] == []
    cloud.advance(14 * DAY)
    assert cloud.call("ListMetrics", Namespace="N")["Metrics"] == []
    assert cloud.sums(begin, begin + HOUR, 300) == [1]


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    account = fresh_account()
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    with Server.start("--data", str(tmp_path)) as server:
        client: Any = Aws(server.endpoint, account).client("cloudwatch")
        for number in range(20):
            datum = {"MetricName": "m", "Value": number, "Timestamp": begin}
            client.put_metric_data(Namespace="N", MetricData=[datum])
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, account).client("cloudwatch")
        [one] = client.get_metric_statistics(
            Namespace="N",
            MetricName="m",
            StartTime=begin,
            EndTime=begin + timedelta(minutes=1),
            Period=60,
            ExtendedStatistics=["p95"],
        )["Datapoints"]
        assert one["ExtendedStatistics"] == {"p95": 18}
        client.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1, "Timestamp": begin}])
        assert [metric["MetricName"] for metric in client.list_metrics(Namespace="N")["Metrics"]] == ["m"]


def test_no_more_metrics_are_read_than_a_page_of_them_shows(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    page = directory.page

    async def counted(*args: Any) -> list[tuple[bytes, Metric, int]]:
        nonlocal read
        found = await page(*args)
        read += len(found)
        return found

    monkeypatch.setattr(directory, "page", counted)
    for number in range(2):
        data = [{"MetricName": f"m{number}-{at:03}", "Value": 1.0} for at in range(1000)]
        cloud.call("PutMetricData", Namespace="N", MetricData=data)
    listed = cloud.call("ListMetrics")
    assert len(listed["Metrics"]) == 500
    assert read <= 501
    (found,) = cloud.call("ListMetrics", MetricName="m1-999")["Metrics"]
    assert found["MetricName"] == "m1-999"
