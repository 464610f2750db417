"""Graphs of services, of a time or of traces, and statistics over time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.xray.segments import part, put, segment, trace_id


def send_order(xray: Any, when: float, **stock: Any) -> str:
    """Send a trace: a client calls the shop, which calls the stock, which answers, and a table. Return its id."""
    trace = trace_id(when)
    shop = segment(trace, took=2)
    to_stock = part(shop, "stock", took=1, namespace="remote")
    to_table = part(shop, "DynamoDB", took=0.25, namespace="aws", aws={"table_name": "orders"})
    answer = segment(trace, "stock", took=0.75, parent_id=to_stock["id"], **stock)
    assert put(xray, shop | {"subsegments": [to_stock, to_table]}, answer) == []
    return trace


def drawn(services: list[dict[str, Any]]) -> dict[tuple[str, str | None], set[tuple[str, str | None]]]:
    """Return who calls whom."""
    names = {each["ReferenceId"]: (each["Name"], each.get("Type")) for each in services}
    return {names[each["ReferenceId"]]: {names[edge["ReferenceId"]] for edge in each["Edges"]} for each in services}


_EXPECTED = {
    ("shop", "client"): {("shop", None)},
    ("shop", None): {("stock", None), ("orders", "AWS::DynamoDB::Table")},
    ("stock", None): set(),
    ("orders", "AWS::DynamoDB::Table"): set(),
}


def test_the_graph_of_a_trace(xray: Any) -> None:
    trace = send_order(xray, time.time())
    services = xray.get_trace_graph(TraceIds=[trace, trace_id()])["Services"]
    assert drawn(services) == _EXPECTED
    (shop,) = [each for each in services if each.get("Root")]
    assert shop["SummaryStatistics"] == {
        "OkCount": 1,
        "ErrorStatistics": {"ThrottleCount": 0, "OtherCount": 0, "TotalCount": 0},
        "FaultStatistics": {"OtherCount": 0, "TotalCount": 0},
        "TotalCount": 1,
        "TotalResponseTime": 2,
    }
    assert shop["ResponseTimeHistogram"] == [{"Value": 2, "Count": 1}]


def test_work_that_is_local_is_no_service(xray: Any) -> None:
    now = time.time() - 60
    shop = segment(trace_id(now))
    within = part(shop, "DynamoDB", namespace="aws", aws={"table_name": "orders"})
    assert put(xray, shop | {"subsegments": [part(shop, "pricing", namespace="local", subsegments=[within])]}) == []
    expected = {("shop", "client"): {("shop", None)}, ("shop", None): {("orders", "AWS::DynamoDB::Table")}}
    services = xray.get_service_graph(StartTime=now - 10, EndTime=now + 10)["Services"]
    assert drawn(services) == expected | {("orders", "AWS::DynamoDB::Table"): set()}
    [summary] = xray.get_trace_summaries(StartTime=now - 10, EndTime=now + 10)["TraceSummaries"]
    assert [each["Name"] for each in summary["ServiceIds"]] == ["shop", "orders"]


def test_the_graph_of_a_time_counts_outcomes(xray: Any) -> None:
    now = time.time() - 60
    send_order(xray, now)
    send_order(xray, now, fault=True)
    send_order(xray, now, http={"response": {"status": 429}})
    send_order(xray, now, http={"response": {"status": 404}})
    send_order(xray, now - 3600)
    answer = xray.get_service_graph(StartTime=now - 60, EndTime=now + 60)
    assert drawn(answer["Services"]) == _EXPECTED
    (stock,) = [each for each in answer["Services"] if each["Name"] == "stock"]
    counts = stock["SummaryStatistics"]
    assert (counts["OkCount"], counts["TotalCount"], counts["TotalResponseTime"]) == (1, 4, 3)
    assert counts["ErrorStatistics"] == {"ThrottleCount": 1, "OtherCount": 1, "TotalCount": 2}
    assert counts["FaultStatistics"] == {"OtherCount": 1, "TotalCount": 1}
    assert stock["DurationHistogram"] == [{"Value": 0.75, "Count": 4}]
    (shop,) = [each for each in answer["Services"] if each.get("Root")]
    assert [edge["SummaryStatistics"]["TotalResponseTime"] for edge in shop["Edges"]] == [4, 1]


def test_statistics_over_time(xray: Any) -> None:
    minute = int(time.time() // 300) * 300 - 600
    send_order(xray, minute)
    send_order(xray, minute + 1, fault=True)
    send_order(xray, minute + 60)

    def series(**more: Any) -> list[dict[str, Any]]:
        answer = xray.get_time_series_service_statistics(StartTime=minute, EndTime=minute + 300, **more)
        points: list[dict[str, Any]] = answer["TimeSeriesServiceStatistics"]
        return points

    stock = series(EntitySelectorExpression='service("stock")')
    assert [each["Timestamp"].timestamp() - minute for each in stock] == [0, 60]
    assert [each["ServiceSummaryStatistics"]["TotalCount"] for each in stock] == [2, 1]
    assert stock[0]["ServiceSummaryStatistics"]["FaultStatistics"]["TotalCount"] == 1
    edge = series(EntitySelectorExpression='edge("shop", "orders")', Period=300)
    assert [each["EdgeSummaryStatistics"]["TotalCount"] for each in edge] == [3]
    assert edge[0]["ResponseTimeHistogram"] == [{"Value": 0.25, "Count": 3}]
    assert [each["EdgeSummaryStatistics"]["TotalCount"] for each in series()] == [6, 3]
    services = series(EntitySelectorExpression="service()")
    assert [each["ServiceSummaryStatistics"]["TotalCount"] for each in services] == [6, 3]


@pytest.mark.parametrize(
    "params",
    [
        {"Period": 7},
        {"ForecastStatistics": True},
        {"EntitySelectorExpression": "fault"},
        {"GroupName": "missing"},
        {"NextToken": "x"},
        {"StartTime": 1},
    ],
)
def test_statistics_that_are_refused(xray: Any, params: dict[str, Any]) -> None:
    now = time.time()
    with pytest.raises(ClientError) as raised:
        xray.get_time_series_service_statistics(**{"StartTime": now - 60, "EndTime": now, **params})
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"


def test_graphs_that_are_refused(xray: Any) -> None:
    now = time.time()
    for call, params in (
        (xray.get_service_graph, {"StartTime": now - 7 * 3600, "EndTime": now}),
        (xray.get_service_graph, {"StartTime": now - 60, "EndTime": now, "GroupName": "missing"}),
        (xray.get_trace_graph, {"TraceIds": [trace_id() for _ in range(6)]}),
    ):
        with pytest.raises(ClientError) as raised:
            call(**params)
        assert raised.value.response["Error"]["Code"] == "InvalidRequestException"
