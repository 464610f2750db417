"""Segments come, are checked, and are there as they were sent."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.xray.segments import part, put, segment, trace_id


def documents(xray: Any, trace: str) -> dict[str, Any]:
    """Return the documents of a trace by id."""
    (found,) = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    return {each["Id"]: json.loads(each["Document"]) for each in found["Segments"]}


def test_a_segment_is_there_as_it_was_sent(xray: Any) -> None:
    sent = segment(trace_id(), metadata={"any": {"thing": [1, None]}})
    assert put(xray, sent) == []
    assert documents(xray, sent["trace_id"]) == {sent["id"]: sent}


def test_a_name_may_have_letters_of_any_script_and_some_symbols(xray: Any) -> None:
    assert put(xray, segment(trace_id(), "Größe 店 _.:/%&#=+\\-@")) == []


def test_a_trace_has_a_duration_and_an_unknown_one_is_left_out(xray: Any) -> None:
    trace = trace_id()
    put(xray, segment(trace, took=0.5), segment(trace, took=2))
    answer = xray.batch_get_traces(TraceIds=[trace, trace_id()])
    assert [(each["Id"], each["Duration"], each["LimitExceeded"]) for each in answer["Traces"]] == [(trace, 2, False)]
    assert answer["UnprocessedTraceIds"] == []


def test_a_segment_in_progress_is_replaced_and_does_not_come_back(xray: Any) -> None:
    done = segment(trace_id())
    begun = {**done, "in_progress": True}
    del begun["end_time"]
    assert put(xray, begun) == []
    assert documents(xray, done["trace_id"]) == {done["id"]: begun}
    assert put(xray, done) == []
    assert put(xray, begun) == []
    assert documents(xray, done["trace_id"]) == {done["id"]: done}


def test_a_subsegment_is_sent_alone(xray: Any) -> None:
    top = segment(trace_id())
    alone = {**part(top, "work"), "type": "subsegment", "trace_id": top["trace_id"], "parent_id": top["id"]}
    assert put(xray, top, alone) == []
    assert documents(xray, top["trace_id"]) == {top["id"]: top, alone["id"]: alone}


def test_an_id_as_w3c_writes_it(xray: Any) -> None:
    trace = trace_id()
    sent = segment(trace)
    assert put(xray, {**sent, "trace_id": trace.removeprefix("1-").replace("-", "")}) == []
    assert documents(xray, trace) == {sent["id"]: sent}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": None}, "MissingId"),
        ({"id": "xyz"}, "InvalidId"),
        ({"name": None}, "MissingName"),
        ({"name": "n" * 201}, "InvalidName"),
        ({"name": "a?b"}, "InvalidName"),
        ({"name": 7}, "InvalidName"),
        ({"trace_id": None}, "MissingTraceId"),
        ({"trace_id": "1-2-3"}, "InvalidTraceId"),
        ({"start_time": None}, "MissingStartTime"),
        ({"start_time": "now"}, "InvalidStartTime"),
        ({"end_time": None}, "MissingEndTime"),
        ({"end_time": 1}, "InvalidEndTime"),
        ({"parent_id": "?"}, "InvalidParentId"),
        ({"type": "subsegment"}, "MissingParentId"),
        ({"type": "other"}, "InvalidType"),
        ({"annotations": {"a": [1]}}, "InvalidAnnotation"),
        ({"http": {"response": {"status": "ok"}}}, "ParseError"),
        ({"subsegments": [{"id": "0" * 16, "start_time": 1, "end_time": 2}]}, "MissingName"),
        ({"metadata": {"large": "x" * 65536}}, "SegmentTooLarge"),
    ],
)
def test_what_is_wrong_is_not_taken_and_the_others_are(xray: Any, change: dict[str, Any], code: str) -> None:
    trace = trace_id()
    good, bad = segment(trace), segment(trace) | change
    bad = {key: value for key, value in bad.items() if value is not None}
    (told,) = put(xray, bad, good)
    assert (told["ErrorCode"], told["Message"]) == (code, f"Invalid segment. ErrorCode: {code}")
    assert told.get("Id") == bad.get("id")
    assert list(documents(xray, trace)) == [good["id"]]


@pytest.mark.parametrize(("text", "code"), [("{", "ParseError"), ("7", "ParseError"), ("[]", "MissingId")])
def test_what_is_no_document(xray: Any, text: str, code: str) -> None:
    (told,) = put(xray, text)
    assert told == {"ErrorCode": code, "Message": f"Invalid segment. ErrorCode: {code}"}


def test_a_trace_that_is_too_old_is_not_taken(xray: Any) -> None:
    (told,) = put(xray, segment(trace_id(time.time() - 31 * 86_400)))
    assert told["ErrorCode"] == "InvalidTraceId"


def test_a_trace_is_full(xray: Any) -> None:
    trace = trace_id()
    large = [segment(trace, metadata={"text": "x" * 60_000}) for _ in range(10)]
    told = put(xray, *large)
    assert [each["ErrorCode"] for each in told] == ["TraceSizeLimitExceeded"]
    (found,) = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    assert found["LimitExceeded"] is True


def test_limits_of_requests(xray: Any) -> None:
    with pytest.raises(ClientError) as raised:
        xray.batch_get_traces(TraceIds=[trace_id() for _ in range(6)])
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"
    with pytest.raises(ClientError) as raised:
        xray.batch_get_traces(TraceIds=[], NextToken="!")
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"
    with pytest.raises(ClientError) as raised:
        xray.put_trace_segments(TraceSegmentDocuments=["{}"] * 51)
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"


def test_telemetry_is_taken(xray: Any) -> None:
    xray.put_telemetry_records(TelemetryRecords=[{"Timestamp": time.time(), "SegmentsReceivedCount": 1}])
