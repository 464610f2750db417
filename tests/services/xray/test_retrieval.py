"""Traces are retrieved by their ids, a page at a time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.refused import code_of
from tests.services.xray.segments import part, put, segment, trace_id
from tests.standing import Standing


def sent(xray: Any, count: int) -> list[dict[str, Any]]:
    """Send traces of a segment each; return the segments."""
    segments = []
    for _ in range(count):
        top = segment(trace_id())
        segments.append({**top, "subsegments": [part(top, "stock", namespace="remote")]})
    assert put(xray, *segments) == []
    return segments


def started(xray: Any, ids: list[str], *, begin: float = -60, end: float = 60) -> str:
    now = time.time()
    answer = xray.start_trace_retrieval(TraceIds=ids, StartTime=now + begin, EndTime=now + end)
    return str(answer["RetrievalToken"])


def test_traces_come_a_page_at_a_time(xray: Any) -> None:
    segments = sent(xray, 12)
    token = started(xray, [each["trace_id"] for each in segments])
    found, page = {}, {}
    while True:
        answer = xray.list_retrieved_traces(RetrievalToken=token, TraceFormat="XRAY", **page)
        assert (answer["RetrievalStatus"], answer["TraceFormat"]) == ("COMPLETE", "XRAY")
        found |= {each["Id"]: [json.loads(span["Document"]) for span in each["Spans"]] for each in answer["Traces"]}
        if "NextToken" not in answer:
            break
        page = {"NextToken": answer["NextToken"]}
    assert found == {each["trace_id"]: [each] for each in segments}


def test_their_graph(xray: Any) -> None:
    token = started(xray, [each["trace_id"] for each in sent(xray, 7)])
    answer = xray.get_retrieved_traces_graph(RetrievalToken=token)
    services = {(each["Service"]["Name"], each["Service"].get("Type")): each["Service"] for each in answer["Services"]}
    assert set(services) == {("shop", "client"), ("shop", None), ("stock", "remote")}
    assert services["shop", None]["SummaryStatistics"]["TotalCount"] == 7


def test_what_was_at_another_time_is_left_out(xray: Any) -> None:
    (one,) = sent(xray, 1)
    token = started(xray, [one["trace_id"]], begin=-120, end=-60)
    assert xray.list_retrieved_traces(RetrievalToken=token)["Traces"] == []


def test_a_cancelled_retrieval_gives_nothing(xray: Any) -> None:
    (one,) = sent(xray, 1)
    token = started(xray, [one["trace_id"]])
    xray.cancel_trace_retrieval(RetrievalToken=token)
    answer = xray.list_retrieved_traces(RetrievalToken=token)
    assert (answer["RetrievalStatus"], answer["Traces"]) == ("CANCELLED", [])


def test_a_retrieval_is_kept_for_an_hour(standing: Standing) -> None:
    xray = standing.account().client("xray")
    token = xray.start_trace_retrieval(TraceIds=[trace_id()], StartTime=1, EndTime=2)["RetrievalToken"]
    assert xray.list_retrieved_traces(RetrievalToken=token)["Traces"] == []
    standing.advance("2h")
    assert code_of(xray.list_retrieved_traces, RetrievalToken=token) == "ResourceNotFoundException"


@pytest.mark.parametrize("change", [{"TraceIds": []}, {"TraceIds": ["x"]}, {"StartTime": 3}])
def test_what_cannot_be_retrieved(xray: Any, change: dict[str, Any]) -> None:
    asked = {"TraceIds": [trace_id()], "StartTime": 1, "EndTime": 2, **change}
    assert code_of(xray.start_trace_retrieval, **asked) == "InvalidRequestException"


def test_what_is_refused(xray: Any) -> None:
    token = started(xray, [trace_id()])
    for wrong in ({"NextToken": "x"}, {"TraceFormat": "OTEL"}):
        assert code_of(xray.list_retrieved_traces, RetrievalToken=token, **wrong) == "InvalidRequestException"
    for call in (xray.list_retrieved_traces, xray.get_retrieved_traces_graph, xray.cancel_trace_retrieval):
        assert code_of(call, RetrievalToken="unknown") == "ResourceNotFoundException"
