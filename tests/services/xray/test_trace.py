"""Traces of any shape are put together: deep ones, circles, what has no parent, and calls among services."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.xray import document, filter_grammar, filtering
from cloudlet.services.xray.graph import Graph
from cloudlet.services.xray.summary import summary
from cloudlet.services.xray.trace import Trace
from tests.services.xray.segments import part, put, segment, trace_id


def traced(*segments: dict[str, Any]) -> Trace:
    return Trace(segments[0]["trace_id"], [document.parse(json.dumps(each)) for each in segments], "123456789012")


@st.composite
def any_trace(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Segments, and subsegments sent alone, whose parents are any of them, or unknown, or none."""
    trace = trace_id(0x60000000)
    ids = [f"{number:016x}" for number in range(draw(st.integers(1, 8)))]
    parents = st.sampled_from([None, "f" * 16, *ids])
    found = []
    for identity in ids:
        flags = {flag: draw(st.booleans()) for flag in ("fault", "error", "throttle")}
        name, parent = draw(st.sampled_from("abc")), draw(parents)
        one = segment(trace, name, id=identity, parent_id=parent, took=draw(st.integers(0, 9)), **flags)
        if parent is not None and draw(st.booleans()):
            one |= {"type": "subsegment", "namespace": draw(st.sampled_from(["aws", "remote"]))}
        found.append(one)
    return found


@given(any_trace())
def test_each_entity_has_one_place(segments: list[dict[str, Any]]) -> None:
    trace = traced(*segments)
    assert sorted(entity.raw["id"] for entity in trace.entities) == [each["id"] for each in segments]
    assert all(entity.path()[0] in trace.roots for entity in trace.entities)
    graph = Graph()
    graph.add(trace)
    services = graph.shown()
    known = {each["ReferenceId"] for each in services}
    assert {edge["ReferenceId"] for each in services for edge in each["Edges"]} <= known
    assert summary(trace)["Duration"] == max(each["end_time"] - each["start_time"] for each in segments)
    assert filtering.holds(filter_grammar.parse("service() OR rootcause.fault.entity { last }"), trace, {}) in (
        True,
        False,
    )


def test_a_trace_as_deep_as_can_be(xray: Any) -> None:
    trace = trace_id()
    chain = [segment(trace, "deep", id=f"{number:016x}", fault=True) for number in range(2500)]
    for above, below in pairwise(chain):
        below["parent_id"] = above["id"]
    for at in range(0, len(chain), 50):
        assert put(xray, *chain[at : at + 50]) == []
    now = time.time()
    (told,) = xray.get_trace_summaries(StartTime=now - 60, EndTime=now + 60)["TraceSummaries"]
    (cause,) = told["FaultRootCauses"]
    assert [len(each["EntityPath"]) for each in cause["Services"]] == [2500]
    (deep,) = [each for each in xray.get_trace_graph(TraceIds=[trace])["Services"] if each.get("Root")]
    assert deep["SummaryStatistics"]["TotalCount"] == 2500


def test_only_what_is_in_progress_is_partial() -> None:
    whole = segment(trace_id(), parent_id="f" * 16)
    assert not traced(whole).is_partial
    open_part = part(whole, "work", in_progress=True)
    del open_part["end_time"]
    assert traced(whole | {"subsegments": [open_part]}).is_partial


def test_a_query_goes_to_a_database_and_a_call_to_a_queue() -> None:
    top = segment(trace_id())
    query = part(top, "orders@db", namespace="remote", sql={"database_type": "PostgreSQL"})
    call = part(top, "SQS", namespace="aws", aws={"queue_url": "https://sqs/1/q"})
    other = part(top, "KMS", namespace="aws")
    nodes = traced(top | {"subsegments": [query, call, other, part(top, "local")]}).nodes()
    assert [(node.name, node.type) for node in nodes[1:]] == [
        ("orders@db", "Database::PostgreSQL"),
        ("https://sqs/1/q", "AWS::SQS::Queue"),
        ("KMS", "AWS::KMS"),
    ]
