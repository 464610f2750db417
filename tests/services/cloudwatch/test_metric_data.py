"""GetMetricData: queries, expressions, searches, labels, pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

MINUTE = timedelta(minutes=1)


def put(cw: Any, begin: datetime, name: str, *values: float | None, namespace: str = "Shop", **dimensions: str) -> None:
    """Put values of a metric, one a minute."""
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    data = [
        {"MetricName": name, "Dimensions": named, "Value": value, "Timestamp": begin + at * MINUTE}
        for at, value in enumerate(values)
        if value is not None
    ]
    cw.put_metric_data(Namespace=namespace, MetricData=data)


def metric(
    id: str, name: str, stat: str = "Sum", period: int = 60, namespace: str = "Shop", **more: Any
) -> dict[str, Any]:
    dimensions = more.pop("Dimensions", {})
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    of = {"Namespace": "Shop", "MetricName": name, "Dimensions": named}
    return {"Id": id, "MetricStat": {"Metric": of, "Period": period, "Stat": stat}, **more}


def ask(cw: Any, begin: datetime, minutes: int, *queries: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    more = {"ScanBy": "TimestampAscending", **more}
    answer = cw.get_metric_data(
        MetricDataQueries=list(queries), StartTime=begin, EndTime=begin + minutes * MINUTE, **more
    )
    assert answer["Messages"] == []
    return list(answer["MetricDataResults"])


def refusal(cw: Any, hour: datetime, *queries: dict[str, Any], **more: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        ask(cw, hour, 5, *queries, **more)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_statistics_of_one_metric_are_told_apart_by_their_labels(cw: Any, hour: datetime) -> None:
    def found(*queries: dict[str, Any]) -> list[str]:
        return [one["Label"] for one in ask(cw, hour, 5, *queries)]

    average, total, longer = metric("a", "m", "Average"), metric("b", "m"), metric("c", "m", period=300)
    assert found(average) == ["m"]
    assert found(average, metric("d", "other")) == ["m", "other"]
    assert found(average, total) == ["m Average", "m Sum"]
    assert found(total, longer) == ["m Sum 60", "m Sum 300"]
    assert found({**average, "ReturnData": False}, total) == ["m"]
    assert found({**average, "Label": "mine"}, {**total, "Label": "${LABEL}!"}) == ["mine", "m Sum!"]


def test_metrics_and_expressions_over_them(cw: Any, hour: datetime) -> None:
    put(cw, hour, "Errors", 1, None, 3)
    put(cw, hour, "Requests", 10, 20, 30)
    errors, rate, again = ask(
        cw,
        hour,
        5,
        metric("e1", "Errors"),
        metric("r1", "Requests", ReturnData=False),
        {"Id": "rate", "Expression": "100 * e1 / r1", "Label": "Error rate"},
        {"Id": "again", "Expression": "FILL(rate, 0)"},
    )
    times = [hour + number * MINUTE for number in range(5)]
    assert errors == {
        "Id": "e1",
        "Label": "Errors",
        "Timestamps": [times[0], times[2]],
        "Values": [1, 3],
        "StatusCode": "Complete",
    }
    assert (rate["Label"], rate["Timestamps"], rate["Values"]) == ("Error rate", times[:3], [10, 0, 10])
    assert (again["Label"], again["Timestamps"], again["Values"]) == ("again", times, [10, 0, 10, 0, 0])


def test_the_newest_come_first_if_nothing_else_is_asked_for(cw: Any, hour: datetime) -> None:
    put(cw, hour, "m", 1, 2, 3)
    answer = cw.get_metric_data(
        MetricDataQueries=[metric("m1", "m")], StartTime=hour, EndTime=hour + timedelta(hours=1)
    )
    assert answer["MetricDataResults"][0]["Values"] == [3, 2, 1]
    assert answer["MetricDataResults"][0]["Timestamps"][0] == hour + 2 * MINUTE


def test_expressions_may_come_before_what_they_need(cw: Any, hour: datetime) -> None:
    put(cw, hour, "m", 1, 2)
    first, second, _ = ask(
        cw, hour, 5, {"Id": "a", "Expression": "b * 2"}, {"Id": "b", "Expression": "m1 + 1"}, metric("m1", "m")
    )
    assert (first["Values"], second["Values"]) == ([4, 6], [2, 3])


def test_arrays_give_a_series_each(cw: Any, hour: datetime) -> None:
    put(cw, hour, "m", 1)
    put(cw, hour, "n", 3)
    queries = [metric("m1", "m", ReturnData=False), metric("m2", "n", ReturnData=False)]
    plain = ask(cw, hour, 5, *queries, {"Id": "e1", "Expression": "SORT(METRICS(), SUM, DESC)"})
    assert [(one["Id"], one["Label"], one["Values"]) for one in plain] == [("e1", "n", [3]), ("e1", "m", [1])]
    labelled = ask(cw, hour, 5, *queries, {"Id": "e1", "Expression": "FILL(METRICS(), 0)", "Label": "Filled With 0:"})
    assert [one["Label"] for one in labelled] == ["Filled With 0: m", "Filled With 0: n"]


def test_percentiles_and_units(cw: Any, hour: datetime) -> None:
    data = {"MetricName": "m", "Values": [1, 2, 100], "Counts": [90, 9, 1], "Unit": "Seconds", "Timestamp": hour}
    cw.put_metric_data(Namespace="Shop", MetricData=[data])
    query = metric("m1", "m", "p99")
    query["MetricStat"]["Unit"] = "Seconds"
    other = metric("m2", "m", "tm90")
    other["MetricStat"]["Unit"] = "Bytes"
    first, second, third = ask(cw, hour, 5, query, other, metric("m3", "m", "PR(:1)"))
    assert (first["Values"], second["Values"], third["Values"]) == ([2], [], [90])


@pytest.mark.parametrize("descending", [True, False])
def test_pages_follow_each_other_in_time(cw: Any, hour: datetime, descending: bool) -> None:
    put(cw, hour, "m", *range(10))
    put(cw, hour, "n", *(None if number % 2 else number for number in range(10)))
    order = "TimestampDescending" if descending else "TimestampAscending"
    pages = list(
        cw.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[metric("m1", "m"), metric("n1", "n")],
            StartTime=hour,
            EndTime=hour + 10 * MINUTE,
            ScanBy=order,
            MaxDatapoints=4,
        )
    )
    found: dict[str, list[float]] = {"m1": [], "n1": []}
    whole = {"m1": 10, "n1": 5}
    for page in pages:
        results = page["MetricDataResults"]
        assert sum(len(one["Values"]) for one in results) <= 4
        for one in results:
            found[one["Id"]] += one["Values"]
            partial = len(found[one["Id"]]) < whole[one["Id"]]
            assert one["StatusCode"] == ("PartialData" if partial else "Complete")
    expected = sorted(range(10), reverse=descending)
    assert found == {"m1": expected, "n1": [number for number in expected if not number % 2]}
    assert len(pages) == 5
    assert refusal(cw, hour, metric("m1", "m"), NextToken="nonsense!")[0] == "InvalidNextToken"


LABELS = [
    ("${LABEL} of ${PROP('Namespace')}", "m of Shop"),
    ("${MAX} ${MIN} ${AVG}", "3 1 2"),
    ("${SUM}/${DATAPOINT_COUNT}", "6/3"),
    ("${FIRST} ${LAST} ${FIRST_LAST_RANGE}", "1 2 1"),
    ("${FIRST_LAST_TIME_RANGE} ${MIN_MAX_RANGE} ${MIN_MAX_TIME_RANGE}", "2m 2 1m"),
    ("${PROP('Dim.Server')} ${PROP('MetricName')} ${PROP('Stat')} ${PROP('Period')}", "prod m Sum 60"),
    ("${PROP('Region')}", "us-east-1"),
    ("${NOTHING}", "${NOTHING}"),
]


@pytest.mark.parametrize(("label", "shown"), LABELS)
def test_dynamic_labels(cw: Any, hour: datetime, label: str, shown: str) -> None:
    put(cw, hour, "m", 1, 3, 2, Server="prod")
    [one] = ask(cw, hour, 5, metric("m1", "m", Label=label, Dimensions={"Server": "prod"}))
    assert one["Label"] == shown


def test_times_in_labels_have_a_zone(cw: Any, hour: datetime) -> None:
    put(cw, hour, "m", 1, 3, 2)
    [one] = ask(cw, hour, 5, metric("m1", "m", Label="${MAX_TIME}"), LabelOptions={"Timezone": "+0130"})
    moment = datetime.fromisoformat(one["Label"])
    assert moment == hour + MINUTE
    assert moment.utcoffset() == timedelta(hours=1, minutes=30)
    assert refusal(cw, hour, metric("m1", "m"), LabelOptions={"Timezone": "CET"})[0] == "ValidationError"
    too_many = "${MAX}" * 6
    assert refusal(cw, hour, metric("m1", "m", Label=too_many))[0] == "ValidationError"


REFUSED: list[tuple[list[dict[str, Any]], str]] = [
    (
        [metric("M1", "m")],
        "The value M1 for parameter MetricDataQueries.member.1.Id is not matching the expected",
    ),
    ([metric("m1", "m"), metric("m1", "n")], "The values for parameter Id in MetricDataQueries are not unique."),
    ([{"Id": "m1"}], "must be specified."),
    ([{**metric("m1", "m"), "Expression": "1"}], "are mutually exclusive and you have specified both."),
    ([metric("m1", "m", "Median")], "The value Median for parameter MetricDataQueries.member.1.MetricStat.Stat is not"),
    ([metric("m1", "m", period=45)], "The value 45 for parameter MetricDataQueries.member.1.MetricStat.Period"),
    ([metric("m1", "m", ReturnData=False)], "ReturnData set to true"),
    ([{"Id": "e1", "Expression": "m1 +"}], "Error in expression 'e1': Unexpected end of the expression"),
    ([{"Id": "e1", "Expression": "m1"}], "Error in expression 'e1': Unknown identifier 'm1'"),
    ([{"Id": "e1", "Expression": "5"}], "Error in expression 'e1': The final result must be a time series"),
    ([metric("m1", "m"), {"Id": "e1", "Expression": "AVG(m1)"}], "The final result must be a time series"),
    ([{"Id": "e1", "Expression": "e1 + 1"}], "depends on itself, through 'e1'"),
    ([{"Id": "e1", "Expression": "e2"}, {"Id": "e2", "Expression": "e1"}], "depends on itself"),
    ([{"Id": "e1", "Expression": "SEARCH('', 'Sum')"}], "The search expression is empty"),
    ([{"Id": "e1", "Expression": "SEARCH('{A', 'Sum')"}], "The search expression cannot have its end here"),
    ([{"Id": "e1", "Expression": "SEARCH('a', 'Median')"}], "The statistic Median is not supported"),
    ([{"Id": "e1", "Expression": "SEARCH('a', 'Sum', 45)"}], "The period 45 of SEARCH must be a multiple of 60"),
    ([{"Id": "e1", "Expression": "SEARCH(m1)"}], "number of arguments"),
    ([{"Id": "e1", "Expression": "TIME_SERIES(1)", "Period": 7}], "MetricDataQueries.member.1.Period is invalid"),
]


@pytest.mark.parametrize(("queries", "said"), REFUSED, ids=[case[1] for case in REFUSED])
def test_queries_that_are_refused(cw: Any, hour: datetime, queries: list[dict[str, Any]], said: str) -> None:
    code, message = refusal(cw, hour, *queries)
    assert code == "ValidationError"
    assert said in message


def test_requests_that_are_refused(cw: Any, hour: datetime) -> None:
    many = [metric(f"m{number}", "m") for number in range(501)]
    assert "must not have a size greater than 500" in refusal(cw, hour, *many)[1]
    assert "MaxDatapoints" in refusal(cw, hour, many[0], MaxDatapoints=100_801)[1]
    with pytest.raises(ClientError, match="must be less than the parameter EndTime"):
        ask(cw, hour, -1, many[0])
    for begin in hour, hour + timedelta(milliseconds=999):
        with pytest.raises(ClientError, match=r"The parameter StartTime must not equal parameter EndTime\."):
            cw.get_metric_data(MetricDataQueries=[many[0]], StartTime=hour, EndTime=begin)
    for expression in ("SELECT AVG(m) FROM Shop WHERE tag.env = 'prod'", "ANOMALY_DETECTION_BAND(m0)"):
        with pytest.raises(ClientError) as caught:
            ask(cw, hour, 5, many[0], {"Id": "e1", "Expression": expression})
        assert caught.value.response["Error"]["Code"] == "NotImplemented"


# -- SEARCH


@pytest.fixture
def found(cw: Any, hour: datetime) -> Any:
    """A function that returns the labels of what a search finds among some metrics."""
    put(cw, hour, "CustomCount1", 1)
    put(cw, hour, "SDBFailure", 2, Kind="Project2-trial333")
    put(cw, hour, "Network-Errors-2", 3, InstanceId="i-123", namespace="AWSlike/EC2")
    put(cw, hour, "NetworkErrors2", 4, InstanceId="i-456", namespace="AWSlike/EC2")
    put(cw, hour, "CPU Utilization(all)", 5, InstanceId="i-123", Zone="a", namespace="My Space")

    def find(text: str) -> list[int]:
        results = ask(cw, hour, 5, {"Id": "e1", "Expression": f"SEARCH('{text}', 'Sum', 60)"})
        return sorted(int(one["Values"][0]) for one in results)

    return find


def test_searches_of_the_users_guide(found: Any) -> None:
    # Partial matches: single tokens whatever their case, composite ones by their case.
    for text in ("count", "Count", "COUNT", "CustomCount", "Count1", "customcount1", "custom 1"):
        assert found(text) == [1], text
    for text in ("couNT", "customcount", "count1", "unt"):
        assert found(text) == [], text
    assert found("failure") == found("SDB") == found("project") == found("333") == found("Project2") == [2]
    for text in ("network/errors", "network+errors", "network-errors", "Network_Errors"):
        assert found(text) == [3, 4], text
    # Exact matches.
    assert found('"CustomCount1"') == [1]
    assert found('"customcount1"') == found('"Custom"') == []
    assert found('"Network-Errors-2"') == [3]
    assert found('"Network_Errors_2"') == []
    assert found(r'"CPU Utilization\(all\)"') == [5]
    # Schemas.
    assert found("{Shop}") == [1, 2]
    assert found("{Shop, Kind}") == [2]
    assert found('{"My Space", InstanceId, Zone}') == found('{"My Space", Zone, InstanceId} cpu') == [5]
    assert found('{"My Space", InstanceId}') == []
    assert found('{AWSlike/EC2,InstanceId}, "i-123"') == [3]
    # Properties.
    assert found("MetricName=count") == found('MetricName="CustomCount1"') == [1]
    assert found("MetricName=project") == []
    assert found('InstanceId="i-123"') == [3, 5]
    assert found('InstanceId="i-123" Namespace="AWSlike/EC2"') == [3]
    assert found("Namespace=EC2") == [3, 4]
    assert found("NOT Namespace=Shop") == [3, 4, 5]
    # Operators.
    assert found("EC2 AND 456") == found("EC2 456") == [4]
    assert found("count OR failure") == [1, 2]
    assert found("EC2 NOT 456") == found('{AWSlike/EC2,InstanceId} NOT "i-456" NOT "x"') == [3]
    assert found("(count OR EC2) AND NOT 123") == [1, 4]
    assert found('MetricName="CustomCount1" OR (EC2 AND (123 OR 789))') == [1, 3]


def test_what_is_found_is_labelled_by_what_differs(cw: Any, hour: datetime) -> None:
    for name, server in (("m", "a"), ("m", "b"), ("n", "b")):
        put(cw, hour, name, 1, Server=server, Zone="z")

    def labels(expression: str, **more: str) -> list[str]:
        return [one["Label"] for one in ask(cw, hour, 5, {"Id": "e1", "Expression": expression, **more})]

    assert labels("SEARCH('MetricName=m', 'Sum', 60)") == ["a", "b"]
    assert labels("SEARCH('{Shop,Server,Zone}', 'Sum', 60)") == ["a m", "b m", "b n"]
    assert labels("SEARCH('MetricName=n', 'Sum', 60)") == ["n"]
    assert labels("SEARCH('MetricName=m', 'Sum', 60)", Label="of ${PROP('Dim.Server')}: ${MAX}") == [
        "of a: 1",
        "of b: 1",
    ]
    assert labels("SUM(SEARCH('Shop', 'Sum', 60))") == ["e1"]


def test_a_search_finds_five_hundred_metrics(cw: Any, hour: datetime) -> None:
    data = [{"MetricName": f"many{number}", "Value": 1, "Timestamp": hour} for number in range(501)]
    cw.put_metric_data(Namespace="Shop", MetricData=data)
    answer = cw.get_metric_data(
        MetricDataQueries=[{"Id": "e1", "Expression": "SUM(SEARCH('many', 'Sum', 60))"}],
        StartTime=hour,
        EndTime=hour + MINUTE,
    )
    assert answer["Messages"] == [{"Code": "MaxMetricsExceeded", "Value": "Maximum number of allowed metrics exceeded"}]
    assert answer["MetricDataResults"][0]["Values"] == [500]
    # All searches of a request together.
    two = [{"Id": f"e{period}", "Expression": f"SUM(SEARCH('many', 'Sum', {period}))"} for period in (60, 300)]
    answer = cw.get_metric_data(MetricDataQueries=two, StartTime=hour, EndTime=hour + MINUTE)
    assert [one["Values"] for one in answer["MetricDataResults"]] == [[500], []]
