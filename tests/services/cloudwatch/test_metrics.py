"""Putting values, listing metrics, and statistics of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.refused import refused

MINUTE = timedelta(minutes=1)


@pytest.fixture
def hour() -> datetime:
    """The beginning of the last hour but one."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


def put(cw: Any, *data: dict[str, Any], namespace: str = "Shop") -> None:
    cw.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Latency", **one} for one in data])


def statistics(
    cw: Any, begin: datetime, end: datetime, *names: str, period: int = 60, extended: bool = False, **more: Any
) -> list[dict[str, Any]]:
    asked = {"ExtendedStatistics" if extended else "Statistics": list(names)}
    answer = cw.get_metric_statistics(
        Namespace="Shop", MetricName="Latency", StartTime=begin, EndTime=end, Period=period, **asked, **more
    )
    assert answer["Label"] == "Latency"
    return list(answer["Datapoints"])


def test_values_of_a_minute_add_up(cw: Any, hour: datetime) -> None:
    put(cw, *({"Value": value, "Timestamp": hour + timedelta(seconds=at)} for at, value in ((0, 5), (59, 1.5))))
    put(cw, {"Value": 3, "Timestamp": hour + timedelta(seconds=60)})
    names = ["SampleCount", "Sum", "Average", "Minimum", "Maximum"]
    first, second = statistics(cw, hour, hour + 2 * MINUTE, *names)
    assert first == {
        "Timestamp": hour,
        "SampleCount": 2,
        "Sum": 6.5,
        "Average": 3.25,
        "Minimum": 1.5,
        "Maximum": 5,
        "Unit": "None",
    }
    assert second == {"Timestamp": hour + MINUTE, "SampleCount": 1, **dict.fromkeys(names[1:], 3), "Unit": "None"}


def test_periods_begin_with_the_span_and_its_end_does_not_count(cw: Any, hour: datetime) -> None:
    put(cw, *({"Value": 1, "Timestamp": hour + number * MINUTE} for number in range(10)))
    found = statistics(cw, hour + 2 * MINUTE + timedelta(seconds=30), hour + 8 * MINUTE, "Sum", period=180)
    assert [(one["Timestamp"] - hour, one["Sum"]) for one in found] == [(2 * MINUTE, 3), (5 * MINUTE, 3)]


def test_values_with_counts_and_statistic_sets(cw: Any, hour: datetime) -> None:
    put(cw, {"Values": [1, 2, 4], "Counts": [3, 2, 1], "Timestamp": hour})
    put(cw, {"StatisticValues": {"SampleCount": 4, "Sum": 10, "Minimum": 0.5, "Maximum": 7}, "Timestamp": hour})
    put(cw, {"Values": [9], "Timestamp": hour + MINUTE})
    first, second = statistics(cw, hour, hour + 2 * MINUTE, "SampleCount", "Sum", "Minimum", "Maximum")
    assert (first["SampleCount"], first["Sum"], first["Minimum"], first["Maximum"]) == (10, 21, 0.5, 7)
    assert (second["SampleCount"], second["Sum"]) == (1, 9)


def test_units_are_kept_apart(cw: Any, hour: datetime) -> None:
    put(
        cw,
        {"Value": 1, "Unit": "Seconds", "Timestamp": hour},
        {"Value": 500, "Unit": "Milliseconds", "Timestamp": hour},
    )
    both = statistics(cw, hour, hour + MINUTE, "Sum")
    assert sorted((one["Unit"], one["Sum"]) for one in both) == [("Milliseconds", 500), ("Seconds", 1)]
    [one] = statistics(cw, hour, hour + MINUTE, "Sum", Unit="Seconds")
    assert one["Sum"] == 1
    assert statistics(cw, hour, hour + MINUTE, "Sum", Unit="Bytes") == []


def test_dimensions_are_part_of_the_metric(cw: Any, hour: datetime) -> None:
    both = [{"Name": "Server", "Value": "Prod"}, {"Name": "Domain", "Value": "Rio"}]
    put(cw, {"Value": 95, "Dimensions": both, "Timestamp": hour})
    [one] = statistics(cw, hour, hour + MINUTE, "Sum", Dimensions=both[::-1])
    assert one["Sum"] == 95
    assert statistics(cw, hour, hour + MINUTE, "Sum", Dimensions=both[:1]) == []
    assert statistics(cw, hour, hour + MINUTE, "Sum") == []


def test_metrics_of_high_resolution_have_seconds(cw: Any) -> None:
    base = datetime.now(UTC).replace(second=0, microsecond=0) - 2 * MINUTE
    for second in (0, 1, 7, 12):
        put(cw, {"Value": second, "StorageResolution": 1, "Timestamp": base + timedelta(seconds=second)})
    fine = statistics(cw, base, base + MINUTE, "Sum", period=5)
    assert [(one["Timestamp"] - base, one["Sum"]) for one in fine] == [
        (timedelta(seconds=0), 1),
        (timedelta(seconds=5), 7),
        (timedelta(seconds=10), 12),
    ]
    [minute] = statistics(cw, base, base + MINUTE, "Sum")
    assert minute["Sum"] == 20
    put(cw, {"Value": 1, "Timestamp": base, "Dimensions": [{"Name": "coarse", "Value": "1"}]})
    coarse = {"Dimensions": [{"Name": "coarse", "Value": "1"}]}
    # A value without StorageResolution is in the period that its minute begins with.
    [one] = statistics(cw, base, base + MINUTE, "Sum", period=10, **coarse)
    assert (one["Timestamp"], one["Sum"]) == (base, 1)


def test_a_day_has_as_many_minutes_wherever_it_begins(cw: Any, hour: datetime) -> None:
    begin = hour + timedelta(seconds=30)
    assert statistics(cw, begin - timedelta(days=1), begin, "Sum") == []


HUNDRED = list(range(1, 101))

EXTENDED = [
    ("p0", 1),
    ("p50", 50),
    ("p99", 99),
    ("p99.9", 100),
    ("p100", 100),
    ("tm90", 45.5),
    ("TM(:90%)", 45.5),
    ("TM(2%:98%)", 50.5),
    ("TM(25%:75%)", 50.5),
    ("IQM", 50.5),
    ("TM(10:20)", 15.5),
    ("TM(:10)", 5.5),
    ("wm98", (98 * 99 / 2 + 2 * 98) / 100),
    ("WM(10%:90%)", (10 * 10 + sum(range(11, 91)) + 10 * 90) / 100),
    ("tc90", 90),
    ("TC(80%:)", 20),
    ("TC(0.5:10)", 10),
    ("TC(10:20)", 10),
    ("ts90", 45 * 91),
    ("TS(80%:)", sum(range(81, 101))),
    ("PR(:30)", 30),
    ("PR(10:20)", 10),
    ("PR(90:)", 10),
]


@pytest.mark.parametrize(("name", "value"), EXTENDED)
def test_statistics_of_the_values_themselves(cw: Any, hour: datetime, name: str, value: float) -> None:
    put(cw, {"Values": HUNDRED, "Timestamp": hour})
    [one] = statistics(cw, hour, hour + MINUTE, name, extended=True)
    assert one["ExtendedStatistics"][name] == pytest.approx(value)


def test_percentiles_need_values_and_none_below_zero(cw: Any, hour: datetime) -> None:
    summed = {"StatisticValues": {"SampleCount": 2, "Sum": 5, "Minimum": 1, "Maximum": 4}, "Timestamp": hour}
    put(cw, summed, {"Value": -1, "Timestamp": hour + MINUTE})
    equal = {
        "StatisticValues": {"SampleCount": 3, "Sum": 6, "Minimum": 2, "Maximum": 2},
        "Timestamp": hour + 2 * MINUTE,
    }
    put(cw, equal)
    found = statistics(cw, hour, hour + 3 * MINUTE, "p90", extended=True)
    assert [one["ExtendedStatistics"] for one in found] == [{}, {}, {"p90": 2}]


@pytest.mark.parametrize("name", ["p101", "p", "tm", "TM(90%:10%)", "TM(:)", "PR(10%:20%)", "Average", "tm90%", "TM()"])
def test_what_is_no_extended_statistic(cw: Any, hour: datetime, name: str) -> None:
    code, message = refused(
        cw.get_metric_statistics,
        Namespace="Shop",
        MetricName="Latency",
        StartTime=hour,
        EndTime=hour + MINUTE,
        Period=60,
        ExtendedStatistics=[name],
    )
    assert code == "InvalidParameterValue"
    assert message == f"The value {name} for parameter ExtendedStatistics is not supported."


WRONG_DATA: list[tuple[dict[str, Any], str, str]] = [
    ({}, "InvalidParameterCombination", "At least one of the parameters must be specified."),
    (
        {"Value": 1, "Values": [1]},
        "InvalidParameterCombination",
        "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have "
        "specified both.",
    ),
    (
        {"Value": float("nan")},
        "InvalidParameterValue",
        "The value NaN for parameter MetricData.member.1.Value is invalid.",
    ),
    (
        {"Values": [float("-inf")]},
        "InvalidParameterValue",
        "The value -Infinity for parameter MetricData.member.1.Values.member.1 is invalid.",
    ),
    (
        {"Values": [1], "StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}},
        "InvalidParameterCombination",
        "The parameters MetricData.member.1.Values and MetricData.member.1.StatisticValues are mutually exclusive and "
        "you have specified both.",
    ),
    ({"Value": 2.0**361}, "InvalidParameterValue", "MetricData.member.1.Value is invalid."),
    ({"Values": [1, 2], "Counts": [1]}, "InvalidParameterValue", "must be of the same size."),
    ({"Values": [1], "Counts": [0]}, "InvalidParameterValue", "MetricData.member.1.Counts.member.1 is invalid."),
    ({"Values": list(range(151))}, "InvalidParameterValue", "must not have a size greater than 150."),
    (
        {"Value": 1, "StorageResolution": 30},
        "InvalidParameterValue",
        "MetricData.member.1.StorageResolution is invalid.",
    ),
    (
        {"Value": 1, "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]},
        "InvalidParameterValue",
        "The value a for parameter MetricData.member.1.Dimensions.member.2.Name is invalid.",
    ),
    ({"Value": 1, "Dimensions": [{"Name": ":a", "Value": "1"}]}, "InvalidParameterValue", "is invalid."),
    ({"Value": 1, "Dimensions": [{"Name": "a", "Value": "ü"}]}, "InvalidParameterValue", "is invalid."),
    (
        {"StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1, "Maximum": 1}},
        "InvalidParameterValue",
        "The value 0.0 for parameter MetricData.member.1.StatisticValues.SampleCount is invalid.",
    ),
    (
        {"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 2, "Maximum": 1}},
        "InvalidParameterValue",
        "must not be greater than",
    ),
]


@pytest.mark.parametrize(("datum", "code", "said"), WRONG_DATA)
def test_data_that_are_refused(cw: Any, datum: dict[str, Any], code: str, said: str) -> None:
    refusal = refused(cw.put_metric_data, Namespace="Shop", MetricData=[{"MetricName": "Latency", **datum}])
    assert refusal[0] == code
    assert said in refusal[1]


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(days=14, minutes=1), "must specify a time within the past two weeks."),
        (-timedelta(hours=2, minutes=1), "must specify a time no more than two hours in the future."),
    ],
)
def test_times_that_are_refused(cw: Any, ago: timedelta, said: str) -> None:
    datum = {"MetricName": "Latency", "Value": 1, "Timestamp": datetime.now(UTC) - ago}
    code, message = refused(cw.put_metric_data, Namespace="Shop", MetricData=[datum])
    assert code == "InvalidParameterValue"
    assert message.endswith(said)


def test_namespaces_of_aws_are_its_own(cw: Any) -> None:
    data = [{"MetricName": "Latency", "Value": 1}]
    assert refused(cw.put_metric_data, Namespace="AWS/SQS", MetricData=data) == (
        "InvalidParameterValue",
        "The value AWS/ for parameter Namespace is invalid.",
    )
    assert refused(cw.put_metric_data, Namespace=":Shop", MetricData=data)[0] in (
        "ValidationError",
        "ValidationException",
    )


def test_a_request_has_a_thousand_metrics_at_most(cw: Any) -> None:
    data = [{"MetricName": f"m{number}", "Value": 1} for number in range(1001)]
    assert refused(cw.put_metric_data, Namespace="Shop", MetricData=data) == (
        "InvalidParameterValue",
        "The collection MetricData must not have a size greater than 1000.",
    )
    cw.put_metric_data(Namespace="Shop", MetricData=data[:1000])
    assert refused(cw.put_metric_data, Namespace="Shop")[0] == "MissingParameter"


def test_a_request_with_all_values_that_fit_puts_each_of_them_once(cw: Any, hour: datetime) -> None:
    values = {"Values": [float(number) for number in range(1, 151)], "Counts": [2.0] * 150}
    put(cw, *({**values, "Timestamp": hour - (at % 300 + 1) * MINUTE} for at in range(900)))
    found = statistics(cw, hour - 300 * MINUTE, hour, "SampleCount", "Sum")
    assert [(point["SampleCount"], point["Sum"]) for point in found] == [(900.0, 67_950.0)] * 300
    late = {"Values": [1.0] * 149 + [2.0**361]}
    code, message = refused(cw.put_metric_data, Namespace="Shop", MetricData=[{"MetricName": "Latency", **late}] * 900)
    assert code == "InvalidParameterValue"
    assert "MetricData.member.1.Values.member.150" in message


def test_a_refused_request_puts_nothing(cw: Any) -> None:
    data = [{"MetricName": "good", "Value": 1}, {"MetricName": "bad"}]
    refused(cw.put_metric_data, Namespace="Shop", MetricData=data)
    assert cw.list_metrics(Namespace="Shop")["Metrics"] == []


WRONG_REQUESTS: list[tuple[dict[str, Any], str, str]] = [
    ({"Period": 61}, "InvalidParameterValue", "The value 61 for parameter Period is invalid"),
    ({"Statistics": []}, "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics"),
    ({"ExtendedStatistics": ["p9"]}, "InvalidParameterCombination", "but not both"),
    ({"EndTime": datetime(2020, 1, 1, tzinfo=UTC)}, "InvalidParameterValue", "StartTime must be less than"),
    (
        {"Period": 1},
        "InvalidParameterCombination",
        "You have requested up to 3,600 datapoints, which exceeds the limit of",
    ),
]


@pytest.mark.parametrize(("change", "code", "said"), WRONG_REQUESTS)
def test_requests_for_statistics_that_are_refused(
    cw: Any, hour: datetime, change: dict[str, Any], code: str, said: str
) -> None:
    params = {
        "Namespace": "Shop",
        "MetricName": "Latency",
        "StartTime": hour,
        "EndTime": hour + timedelta(hours=1),
        "Period": 60,
        "Statistics": ["Sum"],
        **change,
    }
    if params["Statistics"] == []:
        del params["Statistics"]
    refusal = refused(cw.get_metric_statistics, **params)
    assert refusal[0] == code
    assert said in refusal[1]


def test_metrics_are_listed_by_namespace_name_and_dimensions(cw: Any) -> None:
    a, b = {"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}
    put(cw, {"Value": 1}, {"Value": 1, "Dimensions": [a]}, {"Value": 1, "Dimensions": [b, a]})
    put(cw, {"Value": 1, "MetricName": "Errors"}, namespace="Other")

    def listed(**filters: Any) -> list[tuple[str, str, str]]:
        return [
            (one["Namespace"], one["MetricName"], "".join(dimension["Name"] for dimension in one["Dimensions"]))
            for one in cw.list_metrics(**filters)["Metrics"]
        ]

    latencies = [("Shop", "Latency", ""), ("Shop", "Latency", "a"), ("Shop", "Latency", "ab")]
    assert listed() == [("Other", "Errors", ""), *latencies]
    assert listed(Namespace="Shop") == latencies
    assert listed(MetricName="Errors") == [("Other", "Errors", "")]
    assert listed(Namespace="Shop", MetricName="Errors") == []
    assert listed(Dimensions=[{"Name": "a"}]) == latencies[1:]
    assert listed(Dimensions=[{"Name": "a", "Value": "1"}, {"Name": "b"}]) == latencies[2:]
    assert listed(Dimensions=[{"Name": "a", "Value": "2"}]) == []
    assert listed(RecentlyActive="PT3H") == listed()


def test_lists_have_pages_of_five_hundred(cw: Any) -> None:
    data = [{"MetricName": f"m{number:04}", "Value": 1} for number in range(1000)]
    cw.put_metric_data(Namespace="Shop", MetricData=data)
    cw.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "m1000", "Value": 1}])
    pages = [page["Metrics"] for page in cw.get_paginator("list_metrics").paginate(Namespace="Shop")]
    assert [len(page) for page in pages] == [500, 500, 1]
    assert [one["MetricName"] for page in pages for one in page] == [f"m{number:04}" for number in range(1001)]
    assert refused(cw.list_metrics, NextToken="nonsense!")[0] == "InvalidParameterValue"


def test_what_is_not_built_says_so(cw: Any) -> None:
    entity = {"Entity": {"KeyAttributes": {"Type": "Service", "Name": "shop"}}, "MetricData": []}
    for call, params in (
        (cw.put_metric_data, {"Namespace": "Shop", "EntityMetricData": [entity]}),
        (cw.list_metrics, {"IncludeLinkedAccounts": True}),
    ):
        with pytest.raises(ClientError) as caught:
            call(**params)
        assert caught.value.response["Error"]["Code"] == "NotImplemented"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
