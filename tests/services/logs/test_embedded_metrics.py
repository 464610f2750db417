"""Metrics that are embedded in log events."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs import embedded_metrics
from cloudlet.services.logs.embedded_metrics import Problems
from cloudlet.testing.server import Aws
from tests.standing import eventually

_MANY: dict[str, Any] = {f"d{number}": "v" for number in range(31)}
METRICS = [{"Name": "Latency", "Unit": "Milliseconds"}, {"Name": "Orders"}]


def document(
    metrics: list[dict[str, Any]] = METRICS, dimensions: Any = (("Service",),), about: Any = None, **members: Any
) -> str:
    """Return an event with metrics."""
    directive = {"Namespace": "Shop", "Dimensions": dimensions, "Metrics": metrics}
    about = about or {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, "Service": "web", "Latency": 12.5, "Orders": 3, **members})


def put(logs: Any, *messages: str, group: str = "g") -> None:
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    at = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=group, logStreamName="s", logEvents=[{"timestamp": at, "message": message} for message in messages]
    )


def statistics(
    cloudwatch: Any, metric: str, period: int = 86400, span: int = 3600, **dimensions: str
) -> list[dict[str, Any]]:
    now = time.time()
    found: list[dict[str, Any]] = cloudwatch.get_metric_statistics(
        Namespace="Shop",
        MetricName=metric,
        StartTime=now - span,
        EndTime=now + span,
        Period=period,
        Statistics=["Sum", "SampleCount", "Maximum"],
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
    )["Datapoints"]
    return found


def test_metrics_of_events_are_there_with_their_dimensions_and_units(logs: Any, aws: Aws) -> None:
    put(
        logs,
        document(dimensions=[["Service"], ["Service", "Path"], []], Path="/a", Latency=[1, 2, 5]),
        document(),
        "no metrics",
        '{"_aws": "nothing"}',
    )
    cloudwatch = aws.client("cloudwatch")
    (point,) = eventually(lambda: statistics(cloudwatch, "Latency", Service="web"))
    assert (point["Sum"], point["SampleCount"], point["Maximum"], point["Unit"]) == (20.5, 4, 12.5, "Milliseconds")
    (point,) = statistics(cloudwatch, "Orders", Service="web", Path="/a")
    assert (point["Sum"], point["Unit"]) == (3, "None")
    assert statistics(cloudwatch, "Latency")[0]["Sum"] == 8
    assert len(cloudwatch.list_metrics(Namespace="Shop")["Metrics"]) == 6


def test_lambda_may_write_something_before_metrics(logs: Any, aws: Aws) -> None:
    metadata = "2026-01-02T03:04:05.678Z\t7f4d2ad0-9a58-4b38-9d7e-2f7a3c9e7a11\tINFO\t"
    put(logs, f"{metadata}{document()}", f"[INFO]\t{document()}", f"before {document()}", group="/aws/lambda/f")
    put(logs, f"{metadata}{document()}", document(Orders=40), group="/aws/other/f")
    cloudwatch = aws.client("cloudwatch")
    assert eventually(lambda: sum(one["Sum"] for one in statistics(cloudwatch, "Orders", Service="web")) == 46)


def test_metrics_of_high_resolution_are_kept_by_seconds(logs: Any, aws: Aws) -> None:
    begin = int(time.time()) - 100
    metrics = [{"Name": "Latency", "StorageResolution": 1}]
    directive = {"Namespace": "Shop", "Dimensions": [[]], "Metrics": metrics}
    put(
        logs,
        *(
            document(about={"Timestamp": (begin + second) * 1000 + 5, "CloudWatchMetrics": [directive]})
            for second in range(3)
        ),
    )
    cloudwatch = aws.client("cloudwatch")
    points = eventually(lambda: statistics(cloudwatch, "Latency", period=1, span=300), lambda seen: len(seen) == 3)
    assert sorted(int(point["Timestamp"].timestamp()) for point in points) == [begin, begin + 1, begin + 2]


def test_a_metric_that_cloudwatch_refuses_takes_no_other_with_it(logs: Any, aws: Aws) -> None:
    directive = {"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "Latency"}]}
    put(logs, document(about={"Timestamp": 5, "CloudWatchMetrics": [directive]}), document(dimensions=[[]]))
    (point,) = eventually(lambda: statistics(aws.client("cloudwatch"), "Orders"))
    assert point["Sum"] == 3


@pytest.mark.parametrize("strange", [{"Latency": 10**400}, {"Latency": 10**150}, {"about": 10**400}, {"about": -5}])
def test_numbers_of_any_length_hold_up_no_other_event(logs: Any, aws: Aws, strange: dict[str, int]) -> None:
    directive = {"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "Latency"}]}
    if "about" in strange:
        put(logs, document(about={"Timestamp": strange["about"], "CloudWatchMetrics": [directive]}), document())
    else:
        put(logs, document([{"Name": "Latency"}], **strange), document())
    (point,) = eventually(lambda: statistics(aws.client("cloudwatch"), "Latency", Service="web"))
    assert (point["Sum"], point["SampleCount"]) == (12.5, 1)


AWS_EMBEDDED_METRICS = (
    '{"LogGroup": "shop", "ServiceName": "web", "Foo": "Bar", "RequestId": "x", "_aws": {"Timestamp": 1795666136859, '
    '"CloudWatchMetrics": [{"Dimensions": [["LogGroup", "ServiceName", "Foo"]], "Metrics": [{"Name": "Time", '
    '"Unit": "Milliseconds"}, {"Name": "Fine", "Unit": "Count", "StorageResolution": 1}], "Namespace": "Shop"}]}, '
    '"Time": [100, 50], "Fine": 1}'
)
WITHOUT_DIMENSIONS = (
    '{"_aws": {"Timestamp": 1795666136859, "CloudWatchMetrics": [{"Dimensions": [], "Metrics": [{"Name": "Bare", '
    '"Unit": "Count"}], "Namespace": "Shop"}]}, "Bare": 1}'
)
POWERTOOLS = (
    '{"_aws":{"Timestamp":1795666136873,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["service"]],"Metrics":'
    '[{"Name":"SuccessfulBooking","Unit":"Count"}]}]},"service":"booking","SuccessfulBooking":[1.0]}'
)


def test_what_libraries_write_is_understood() -> None:
    """As aws-embedded-metrics 3.5 and Powertools for AWS Lambda 3.37 write it."""
    problems = Problems()
    lines = (AWS_EMBEDDED_METRICS, WITHOUT_DIMENSIONS, POWERTOOLS)
    found = [one for line in lines for one in embedded_metrics.of_message(line, "g", problems)]
    dimensions = (("LogGroup", "shop"), ("ServiceName", "web"), ("Foo", "Bar"))
    assert [(one.name, one.unit, one.resolution, one.dimensions, one.values) for one in found] == [
        ("Time", "Milliseconds", 60, dimensions, [100.0, 50.0]),
        ("Fine", "Count", 1, dimensions, [1.0]),
        ("Bare", "Count", 60, (), [1.0]),
        ("SuccessfulBooking", "Count", 60, (("service", "booking"),), [1.0]),
    ]
    assert (problems.parsing, problems.validation) == (0, 0)


def found_in(message: str) -> tuple[set[str], Problems]:
    problems = Problems()
    return {one.name for one in embedded_metrics.of_message(message, "g", problems)}, problems


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (document(), {"Latency", "Orders"}),
        (document(Latency="slow"), {"Orders"}),
        (document(Latency=True), {"Orders"}),
        (document(Latency=[1] * 101), {"Orders"}),
        (document(Latency=[]), {"Orders"}),
        (document(metrics=[{"Name": "Latency", "Unit": "Parsecs"}, {"Name": "Orders"}]), {"Orders"}),
        (document(metrics=[{"Name": "Latency", "StorageResolution": 5}, {"Name": "Orders"}]), {"Orders"}),
        (document(metrics=[{"Name": "Absent"}, {"Name": "Orders"}]), {"Orders"}),
        (document(metrics=[{"Name": "Orders"}] * 101), set()),
        (document(dimensions=[[f"d{number}" for number in range(31)]], **_MANY), set()),
        (document(Service=7), set()),
        (document(dimensions=[["Absent"]]), set()),
    ],
)
def test_what_does_not_follow_the_specification_is_left_out(message: str, names: set[str]) -> None:
    found, problems = found_in(message)
    assert found == names
    assert (problems.validation > 0, problems.parsing) == (names != {"Latency", "Orders"}, 0)


@pytest.mark.parametrize(
    "about",
    [
        {"CloudWatchMetrics": []},
        {"Timestamp": "now", "CloudWatchMetrics": []},
        {"Timestamp": 1, "CloudWatchMetrics": {}},
        {"Timestamp": 1, "CloudWatchMetrics": [{"Dimensions": [], "Metrics": []}]},
        {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "n", "Dimensions": ["a"], "Metrics": []}]},
        {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "n", "Dimensions": [], "Metrics": [{}]}]},
    ],
)
def test_what_has_another_form_has_no_metrics(about: dict[str, Any]) -> None:
    found, problems = found_in(document(about=about))
    assert not found
    assert (problems.parsing, problems.validation) == (1, 0)


def _maps(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["CloudWatchMetrics", "Timestamp", "Namespace", "Metrics", "Dimensions", "Name"])
    return st.dictionaries(names, inner)


_json = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | _maps(inner))


@given(_json)
def test_no_event_is_too_strange(about: Any) -> None:
    found_in(json.dumps({"_aws": about}))


def test_an_event_means_no_more_metrics_than_that() -> None:
    """A set of dimensions that is there twice counts once, and what is beyond the most is left out."""
    problems = Problems()
    twice = document(dimensions=[["Service"], ["Service"]])
    assert len(list(embedded_metrics.of_message(twice, "g", problems))) == 2
    names = {f"n{number}": "v" for number in range(200)}
    metrics = [{"Name": "Latency"}] * 100
    many = document(metrics, [[name] for name in names], **names)
    assert len(list(embedded_metrics.of_message(many, "g", problems))) == embedded_metrics.MOST_OF_EVENT
    assert problems.validation == 1
