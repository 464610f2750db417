"""Large traces are read once, and looked at beside the event loop: others have their turn meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.services.xray import api_otlp, api_traces, filtering, finding, sampling_targets, storage
from cloudlet.services.xray.graph import Graph
from cloudlet.services.xray.trace import Trace
from tests.in_process import InProcess
from tests.services.xray.segments import segment, trace_id

ACCOUNT = "111111111111"


class LocalCloud(InProcess):
    """Calls operations of X-Ray as the root of an account."""

    block = "xray"

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder, services=frozenset({"xray"}), durable=False))

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        called = self.cloud.call(
            "xray", operation, params, principal=root(ACCOUNT), account=ACCOUNT, region="us-east-1"
        )
        return dict(self.run(called) or {})

    def put(self, *segments: dict[str, Any]) -> None:
        for at in range(0, len(segments), 50):
            texts = [json.dumps(each) for each in segments[at : at + 50]]
            assert self.call("PutTraceSegments", TraceSegmentDocuments=texts)["UnprocessedTraceSegments"] == []

    @property
    def lately(self) -> dict[str, float]:
        return {"StartTime": self.now - 60, "EndTime": self.now + 60}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path)
    yield cloud
    cloud.close()


def large(cloud: LocalCloud) -> str:
    """Send a trace of 40 KB; return its id."""
    trace = trace_id(cloud.now)
    cloud.put(*[segment(trace, metadata={"text": "x" * 20_000}, fault=True) for _ in range(2)])
    return trace


def threads_of(monkeypatch: pytest.MonkeyPatch, owner: Any, function: str) -> set[str]:
    """Return the names of the threads in which a function runs, once it has."""
    original, names = getattr(owner, function), set()

    def noted(*args: Any, **more: Any) -> Any:
        names.add(threading.current_thread().name.partition("-")[0])
        return original(*args, **more)

    monkeypatch.setattr(owner, function, noted)
    return names


def test_a_trace_of_many_segments_is_read_once(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_id(cloud.now)
    cloud.put(*[segment(trace) for _ in range(300)])
    segments, read = storage.segments, []

    async def counted(*args: Any) -> list[bytes]:
        found = await segments(*args)
        read.append(len(found))
        return found

    monkeypatch.setattr(storage, "segments", counted)
    services = cloud.call("GetServiceGraph", **cloud.lately)["Services"]
    (shop,) = [each for each in services if each.get("Type") != "client"]
    assert shop["SummaryStatistics"]["TotalCount"] == 300
    assert len(cloud.call("GetTraceSummaries", **cloud.lately, TimeRangeType="Event")["TraceSummaries"]) == 1
    assert read == [300, 300]


@pytest.mark.parametrize(
    ("operation", "is_by_time"),
    [
        ("BatchGetTraces", False),
        ("GetTraceGraph", False),
        ("GetServiceGraph", True),
        ("GetTraceSummaries", True),
        ("GetTimeSeriesServiceStatistics", True),
    ],
)
def test_large_traces_are_put_together_beside_the_event_loop(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, operation: str, is_by_time: bool
) -> None:
    trace = large(cloud)
    threads = threads_of(monkeypatch, finding, "Trace")
    cloud.call(operation, **(cloud.lately if is_by_time else {"TraceIds": [trace]}))
    assert threads == {"beside"}


def test_retrieved_traces_are_put_together_beside_the_event_loop(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = large(cloud)
    token = cloud.call("StartTraceRetrieval", TraceIds=[trace], **cloud.lately)["RetrievalToken"]
    threads = threads_of(monkeypatch, finding, "Trace")
    assert len(cloud.call("ListRetrievedTraces", RetrievalToken=token)["Traces"]) == 1
    assert cloud.call("GetRetrievedTracesGraph", RetrievalToken=token)["Services"]
    assert threads == {"beside"}


def test_filters_of_many_parts_are_applied_beside_the_event_loop(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.put(segment(trace_id(cloud.now), fault=True))
    threads = threads_of(monkeypatch, filtering, "_holds")
    names = " OR ".join(f'name = "{number}"' for number in range(300))
    cloud.call("CreateGroup", GroupName="many", FilterExpression=names)
    for wanted in (f"rootcause.fault.entity {{ {names} }}", '!group.name = "many"'):
        cloud.call("GetTraceSummaries", **cloud.lately, FilterExpression=wanted)
    assert threads == {"beside"}


def test_spans_are_read_in_places_that_others_have_too(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = threads_of(monkeypatch, api_otlp, "_read")
    cloud.call("PutSpans", ContentType="application/json", Body=b"{}")
    assert threads == {"beside"}


def test_large_documents_are_read_beside_the_event_loop(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = threads_of(monkeypatch, api_traces.document, "parse")
    large(cloud)
    assert threads == {"beside"}


def test_a_page_of_summaries_is_of_so_much(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = {large(cloud) for _ in range(3)}
    monkeypatch.setattr(api_traces, "_MOST_SUMMARISED", 50_000)
    first = cloud.call("GetTraceSummaries", **cloud.lately)
    second = cloud.call("GetTraceSummaries", **cloud.lately, NextToken=first["NextToken"])
    pages = [[each["Id"] for each in page["TraceSummaries"]] for page in (first, second)]
    assert [len(page) for page in pages] == [2, 1]
    assert {each for page in pages for each in page} == traces


def test_a_graph_takes_no_more_than_so_many_services_and_edges(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudlet.services.xray.graph._MOST_PARTS", 5)
    for number in range(4):
        cloud.put(segment(trace_id(cloud.now), f"service{number}"))
    # Of each trace come a service, its client, and the edge between.
    assert len(cloud.call("GetServiceGraph", **cloud.lately)["Services"]) == 4


def test_response_times_above_a_second_are_told_apart_by_three_digits() -> None:
    graph = Graph()
    for number in range(3):
        trace = trace_id(1_700_000_000)
        text = json.dumps(segment(trace, took=[0.1234, 1.2345, 12.345][number]))
        graph.add(Trace(trace, [finding.document.stored(text.encode())], ACCOUNT))
    (shop,) = [each for each in graph.shown() if each.get("Type") != "client"]
    assert [each["Value"] for each in shop["ResponseTimeHistogram"]] == [0.123, 1.23, 12.3]


def test_filters_of_groups_are_read_only_where_they_are_asked_for(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters, read = finding.groups.filters, []

    async def counted(*args: Any) -> Any:
        read.append(args)
        return await filters(*args)

    monkeypatch.setattr(finding.groups, "filters", counted)
    cloud.put(segment(trace_id(cloud.now), fault=True))
    cloud.call("CreateGroup", GroupName="g", FilterExpression="fault")
    assert cloud.call("GetTraceSummaries", **cloud.lately, FilterExpression="fault")["TraceSummaries"]
    assert read == []
    for wanted, count in (('group.name = "g"', 1), ('fault AND !group.name = "g"', 0)):
        found = cloud.call("GetTraceSummaries", **cloud.lately, FilterExpression=wanted)["TraceSummaries"]
        assert len(found) == count
    assert len(read) == 2


def test_more_applications_than_are_counted_have_their_part_of_a_reservoir(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling_targets, "_MOST_CLIENTS", 2)
    cloud.call("UpdateSamplingRule", SamplingRuleUpdate={"RuleName": "Default", "ReservoirSize": 5})

    def quota(client: str) -> int:
        told = {"RuleName": "Default", "ClientID": client * 24, "Timestamp": 0, "RequestCount": 1, "SampledCount": 0}
        answer = cloud.call("GetSamplingTargets", SamplingStatisticsDocuments=[told])
        return int(answer["SamplingTargetDocuments"][0]["ReservoirQuota"])

    assert [quota(client) for client in "aabcb"] == [5, 5, 2, 2, 2]
    assert quota("a") == 3
