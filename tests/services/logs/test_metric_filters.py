"""Metrics from log events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of
from tests.services.logs.conftest import Call, LocalLogs
from tests.standing import eventually


@pytest.fixture
def stream(logs: Any) -> dict[str, str]:
    """A stream, as parameters name it."""
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    return {"logGroupName": "g", "logStreamName": "s"}


def put_filter(logs: Any, pattern: str, value: str = "1", name: str = "f", group: str = "g", **more: Any) -> None:
    transformation = {"metricName": "m", "metricNamespace": "Shop", "metricValue": value, **more}
    logs.put_metric_filter(
        logGroupName=group, filterName=name, filterPattern=pattern, metricTransformations=[transformation]
    )


def put(logs: Any, stream: dict[str, str], *messages: str, at: int | None = None) -> None:
    """Put events of now, or of a time (ms)."""
    at = int(time.time() * 1000) if at is None else at
    logs.put_log_events(**stream, logEvents=[{"timestamp": at, "message": message} for message in messages])


def sums(cloudwatch: Any, **dimensions: str) -> Callable[[], tuple[float, float]]:
    """Return what tells how many values the metric has, and their sum."""

    def ask() -> tuple[float, float]:
        now = time.time()
        found = cloudwatch.get_metric_statistics(
            Namespace="Shop",
            MetricName="m",
            StartTime=now - 3600,
            EndTime=now + 3600,
            Period=86400,
            Statistics=["Sum", "SampleCount"],
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        )["Datapoints"]
        return sum(one["SampleCount"] for one in found), sum(one["Sum"] for one in found)

    return ask


def test_matching_events_are_counted(logs: Any, aws: Aws, stream: dict[str, str]) -> None:
    put(logs, stream, "ERROR before the filter is there")
    put_filter(logs, "ERROR")
    put(logs, stream, "ERROR 1", "fine", "ERROR 2")
    put(logs, stream, "ERROR 3")
    assert eventually(sums(aws.client("cloudwatch")), lambda seen: seen == (3, 3))


def test_values_and_dimensions_are_taken_from_events(logs: Any, aws: Aws, stream: dict[str, str]) -> None:
    put_filter(logs, "{ $.latency = * }", "$.latency", unit="Milliseconds", dimensions={"Path": "$.request.path"})
    put(
        logs,
        stream,
        json.dumps({"latency": 12.5, "request": {"path": "/a"}}),
        json.dumps({"latency": 7, "request": {"path": "/a"}}),
        json.dumps({"latency": 1, "request": {"path": "/b"}}),
        json.dumps({"latency": 1000}),
        json.dumps({"latency": "slow", "request": {"path": "/a"}}),
    )
    cloudwatch = aws.client("cloudwatch")
    assert eventually(sums(cloudwatch, Path="/b"), lambda seen: seen == (1, 1))
    assert sums(cloudwatch, Path="/a")() == (2, 19.5)
    assert len(cloudwatch.list_metrics(Namespace="Shop")["Metrics"]) == 2


def test_a_default_value_is_for_minutes_in_which_nothing_matches(logs: Any, aws: Aws, stream: dict[str, str]) -> None:
    put_filter(logs, "[level = ERROR, bytes]", "$bytes", defaultValue=0.5)
    seen = sums(aws.client("cloudwatch"))
    minute = int(time.time()) // 60 * 60_000
    for second in range(3):
        put(logs, stream, "INFO 3", "INFO 4", at=minute + second * 1000)
    assert eventually(seen, lambda values: values == (1, 0.5))
    put(logs, stream, "INFO 3", "ERROR 30", at=minute + 60_000)
    assert eventually(seen, lambda values: values == (2, 30.5))
    # Where something of that minute has matched, or the default value was put, what comes later puts none.
    for second in (9, 69):
        put(logs, stream, "INFO 4", at=minute + second * 1000)
    put(logs, stream, "ERROR 7", at=minute + 70_000)
    assert eventually(seen, lambda values: values == (3, 37.5))


def test_filters_are_described_and_deleted(logs: Any, stream: dict[str, str]) -> None:
    for name in ("one", "other", "third"):
        put_filter(logs, "ERROR", name=name)
    put_filter(logs, "{ $.a = 1 }", "$.a", name="one", metricName="n", defaultValue=0.0)
    pages = logs.get_paginator("describe_metric_filters")

    def names(**params: Any) -> list[str]:
        found = pages.paginate(**params, PaginationConfig={"PageSize": 2})
        return [one["filterName"] for page in found for one in page["metricFilters"]]

    assert names(logGroupName="g") == ["one", "other", "third"]
    assert names(logGroupName="g", filterNamePrefix="o") == ["one", "other"]
    assert names(metricName="m", metricNamespace="Shop") == ["other", "third"]
    assert logs.describe_log_groups()["logGroups"][0]["metricFilterCount"] == 3
    (first,) = logs.describe_metric_filters(logGroupName="g", filterNamePrefix="one")["metricFilters"]
    assert abs(first.pop("creationTime") / 1000 - time.time()) < 60
    assert first == {
        "filterName": "one",
        "filterPattern": "{ $.a = 1 }",
        "logGroupName": "g",
        "metricTransformations": [
            {"metricName": "n", "metricNamespace": "Shop", "metricValue": "$.a", "defaultValue": 0.0}
        ],
    }
    logs.delete_metric_filter(logGroupName="g", filterName="one")
    assert names(logGroupName="g") == ["other", "third"]
    code = "ResourceNotFoundException"
    assert code_of(logs.delete_metric_filter, logGroupName="g", filterName="one") == code
    assert code_of(logs.describe_metric_filters, logGroupName="x") == code
    assert code_of(logs.describe_metric_filters, metricName="m") == "InvalidParameterException"
    logs.delete_log_group(logGroupName="g")
    assert names() == []


def test_a_filter_that_makes_no_sense_is_refused(logs: Any, stream: dict[str, str]) -> None:
    code = "InvalidParameterException"
    assert code_of(put_filter, logs, "{ $.a") == code
    assert code_of(put_filter, logs, "ERROR", "many") == code
    assert code_of(put_filter, logs, "ERROR", "$.a") == code
    assert code_of(put_filter, logs, "[a, b]", "$c") == code
    assert code_of(put_filter, logs, "{ $.a = 1 }", "nan") == code
    assert code_of(put_filter, logs, "ERROR", metricNamespace="AWS/Logs") == code
    assert code_of(put_filter, logs, "{ $.a = 1 }", defaultValue=1.0, dimensions={"a": "$.a"}) == code
    dimensions = dict.fromkeys("abcd", "$.a")
    assert code_of(put_filter, logs, "{ $.a = 1 }", dimensions=dimensions) == code
    assert code_of(put_filter, logs, "ERROR", group="x") == "ResourceNotFoundException"
    for number in range(5):
        put_filter(logs, "%a%", name=str(number))
    assert code_of(put_filter, logs, "%b%", name="sixth") == "LimitExceededException"


def test_who_puts_many_events_does_not_keep_others_waiting(local: LocalLogs) -> None:
    told: list[str] = []

    def answer(call: Call) -> dict[str, Any]:
        told.extend(datum["MetricName"] for datum in call.params["MetricData"])
        return {}

    local.cloud.played["cloudwatch"] = answer
    for group, seconds in (("busy", 2000), ("quiet", 1)):
        transformation = {"metricName": group, "metricNamespace": "Shop", "metricValue": "1"}
        local.call("CreateLogGroup", logGroupName=group)
        local.call("CreateLogStream", logGroupName=group, logStreamName="s")
        local.call(
            "PutMetricFilter",
            logGroupName=group,
            filterName="f",
            filterPattern="",
            metricTransformations=[transformation],
        )
        begin = local.millis - 1000 * seconds
        events = [{"timestamp": begin + 1000 * second, "message": "x"} for second in range(seconds)]
        local.call("PutLogEvents", logGroupName=group, logStreamName="s", logEvents=events)
    local.until(lambda: len(told) >= 41)
    assert "quiet" in told[:20]
