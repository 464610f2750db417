"""What takes long is done beside the event loop, or some at a time: others have their turn meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.services.cloudwatch import (
    dashboard,
    drawing,
    insights,
    metric_data,
    query_check,
    querying,
    search,
    storage,
)
from cloudlet.services.cloudwatch.columns import Columns
from cloudlet.services.cloudwatch.gathering import Gathering
from tests.services.cloudwatch.local import LocalCloud

MINUTE, HOUR = 60, 3600


def put_minutes(cloud: LocalCloud, count: int, values: int, name: str = "m") -> list[float]:
    """Put so many values in each of so many minutes up to now; return all of them."""
    put: list[float] = []
    data = []
    for minute in range(count):
        of_minute = [float(minute * values + at) for at in range(values)]
        time = cloud.now // MINUTE * MINUTE - MINUTE * (count - minute)
        data.append({"MetricName": name, "Values": of_minute, "Timestamp": time})
        put += of_minute
    for at in range(0, count, 1000):
        cloud.call("PutMetricData", Namespace="N", MetricData=data[at : at + 1000])
    return put


def ask(cloud: LocalCloud, expression: str, seconds: int = HOUR, **more: Any) -> dict[str, Any]:
    end = cloud.now // MINUTE * MINUTE
    query = {"Id": "e", "Expression": expression, **more}
    return cloud.call("GetMetricData", MetricDataQueries=[query], StartTime=end - seconds, EndTime=end)


def read_cells(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many cells each transaction has read, once it has."""
    read, counts = storage.read, []

    async def counted(*args: Any, **more: Any) -> Columns:
        found = await read(*args, **more)
        counts.append(len(found))
        return found

    monkeypatch.setattr(storage, "read", counted)
    return counts


def test_cells_with_their_values_are_read_some_at_a_time_and_once_for_all_statistics(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = sorted(put_minutes(cloud, 250, 3))
    counts = read_cells(monkeypatch)
    begin = cloud.now // MINUTE * MINUTE - 250 * MINUTE
    names = ["p50", "p99", "tm90"]
    (found,) = cloud.statistics(begin, begin + 250 * MINUTE, 250 * MINUTE, ExtendedStatistics=names)
    assert found["ExtendedStatistics"] == {"p50": put[374], "p99": put[742], "tm90": sum(put[:675]) / 675}
    assert counts == [100, 100, 50]


def test_no_time_is_looked_through_where_there_are_no_values(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_minutes(cloud, 5, 2)
    counts = read_cells(monkeypatch)
    hour = cloud.now // HOUR * HOUR
    metric = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "p50"}
    query = {"Id": "m", "MetricStat": metric}
    for end in (hour + HOUR, 250_000_000_000):
        answer = cloud.call("GetMetricData", MetricDataQueries=[query], StartTime=hour - 2 * HOUR, EndTime=end)
        assert len(answer["MetricDataResults"][0]["Values"]) == 5
    assert len(counts) <= 4


# -- beside the event loop


def _percentiles(cloud: LocalCloud) -> None:
    put_minutes(cloud, 20, 100)
    cloud.statistics(cloud.now - HOUR, cloud.now, HOUR, ExtendedStatistics=["p99"])


def _search(cloud: LocalCloud) -> None:
    data = [
        {"MetricName": "m", "Value": 1.0, "Dimensions": [{"Name": f"d{at}", "Value": str(number)} for at in range(10)]}
        for number in range(10)
    ]
    cloud.call("PutMetricData", Namespace="N", MetricData=data)
    words = " OR ".join(f"w{at}" for at in range(50))
    ask(cloud, f"SEARCH('{words}', 'Sum', 60)")


def _many_points(cloud: LocalCloud) -> None:
    ask(cloud, "TIME_SERIES(1)", 6000, Period=1)


def _insights(cloud: LocalCloud) -> None:
    put_minutes(cloud, 1100, 1)
    ask(cloud, 'SELECT SUM(m) FROM "N"', 1200 * MINUTE, Period=60)


@pytest.mark.parametrize(
    ("call", "owner", "function"),
    [
        (_percentiles, Gathering, "add"),
        (_search, search, "matches"),
        (lambda cloud: ask(cloud, "+".join(["TIME_SERIES(1)"] * 80)), query_check, "parse"),
        (lambda cloud: ask(cloud, "+".join(["TIME_SERIES(1)"] * 9), 6000, Period=1), querying, "evaluate"),
        (_many_points, metric_data, "_page"),
        (_insights, insights, "_add"),
    ],
    ids=["percentiles", "search", "parsing", "evaluating", "paging", "insights"],
)
def test_what_takes_long_is_done_beside_the_event_loop(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, call: Callable[[LocalCloud], None], owner: Any, function: str
) -> None:
    threads = set()
    original = getattr(owner, function)

    def noted(*args: Any, **more: Any) -> Any:
        threads.add(threading.current_thread())
        return original(*args, **more)

    monkeypatch.setattr(owner, function, noted)
    call(cloud)
    assert threads
    assert threading.main_thread() not in threads


def test_a_search_is_only_of_strings(cloud: LocalCloud) -> None:
    expression = f"SEARCH({'+'.join(['1'] * 900)}, 'Sum')"
    query = {"Id": "e", "Expression": expression}
    refused = cloud.refused("GetMetricData", MetricDataQueries=[query], StartTime=cloud.now - HOUR, EndTime=cloud.now)
    assert refused.code == "ValidationException"


def test_accounts_take_turns_with_pictures(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    take = drawing._drawing.acquire

    async def noted(account: str) -> None:
        taken.append(account)
        await take(account)

    monkeypatch.setattr(drawing._drawing, "acquire", noted)
    monkeypatch.setattr(drawing.picture, "draw", lambda asked, series: b"png")
    cloud.call("GetMetricWidgetImage", MetricWidget=json.dumps({"metrics": [["N", "m"]]}))
    assert taken == ["111111111111"]


def test_a_list_of_dashboards_has_few_bodies_in_memory(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    named, read = dashboard.listing.list_names, []

    async def counted(*args: Any) -> Any:
        found = await named(*args)
        read.append(len(found))
        return found

    monkeypatch.setattr(dashboard.listing, "list_names", counted)
    names = [f"d{number:02}" for number in range(20)]
    for name in names:
        cloud.call("PutDashboard", DashboardName=name, DashboardBody='{"widgets": []}')
    listed = cloud.call("ListDashboards")["DashboardEntries"]
    assert [(one["DashboardName"], one["Size"]) for one in listed] == [(name, 15) for name in names]
    assert max(read) <= 8


def test_an_expression_has_2048_characters_at_most_wherever_it_is(cloud: LocalCloud) -> None:
    select = f"SELECT SUM(m) FROM N LIMIT {'9' * 5000}"
    refused = cloud.refused("GetMetricWidgetImage", MetricWidget=json.dumps({"metrics": [[{"expression": select}]]}))
    assert refused.code == "ValidationException"
