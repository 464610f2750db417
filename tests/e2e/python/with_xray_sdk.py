"""X-Ray's SDK, and boto3 patched by it: run by tests/e2e/test_python.py with the clients' Python."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import boto3
import pytest
from aws_xray_sdk.core import patch, xray_recorder
from aws_xray_sdk.core.async_context import AsyncContext

DAEMONS_ACCOUNT = {"aws_access_key_id": "000000000000", "aws_secret_access_key": "test"}

patch(("botocore",))


@pytest.fixture(scope="module")
def xray() -> Any:
    return boto3.client("xray", **DAEMONS_ACCOUNT)


def segments(xray: Any, trace: str, count: int) -> dict[str, Any]:
    """Return the segments of a trace by their names, once there are so many."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        traces = xray.batch_get_traces(TraceIds=[trace])["Traces"]
        found = [json.loads(each["Document"]) for trace in traces for each in trace["Segments"]]
        if len(found) >= count:
            return {each["name"]: each for each in found}
        time.sleep(0.05)
    raise AssertionError(f"{found} is all that came")


def test_segments_with_subsegments_and_calls_of_boto3(xray: Any) -> None:
    xray_recorder.configure(service="shop", sampling=False, context_missing="IGNORE_ERROR")
    with xray_recorder.in_segment("shop") as segment:
        segment.put_http_meta("method", "POST")
        segment.put_http_meta("status", 200)
        segment.set_user("ann")
        with xray_recorder.in_subsegment("pricing") as pricing:
            pricing.put_annotation("customer", "7")
            pricing.put_metadata("basket", {"desk": 1}, "shop")
        with pytest.raises(ValueError, match="no money"), xray_recorder.in_subsegment("payment"):
            raise ValueError("no money")
        sqs = boto3.client("sqs")
        queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="a desk")
        sent = xray_recorder.current_segment().trace_id
    with xray_recorder.in_segment("packer", traceid=sent, parent_id=segment.id):
        pass

    found = segments(xray, sent, 2)
    shop = found["shop"]
    assert (shop["http"]["request"]["method"], shop["http"]["response"]["status"]) == ("POST", 200)
    assert found["packer"]["parent_id"] == shop["id"]
    pricing, payment, *calls = shop["subsegments"]
    assert (pricing["annotations"], pricing["metadata"]) == ({"customer": "7"}, {"shop": {"basket": {"desk": 1}}})
    assert (payment["fault"], payment["cause"]["exceptions"][0]["message"]) == (True, "no money")
    assert [(each["name"], each["aws"]["operation"]) for each in calls] == [
        ("sqs", "CreateQueue"),
        ("sqs", "SendMessage"),
    ]

    # A message tells its receiver of the trace.
    received = sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["AWSTraceHeader"])["Messages"][0]
    assert f"Root={sent}" in received["Attributes"]["AWSTraceHeader"]

    now = time.time()
    given = {"StartTime": now - 600, "EndTime": now + 60}
    summaries = xray.get_trace_summaries(FilterExpression='annotation[customer] = "7" AND user = "ann"', **given)
    assert sent in [each["Id"] for each in summaries["TraceSummaries"]]
    graph = xray.get_trace_graph(TraceIds=[sent])["Services"]
    services = {each["Name"]: each for each in graph if each.get("Type") != "client"}
    edges = {each["ReferenceId"] for each in services["shop"]["Edges"]}
    assert services["packer"]["ReferenceId"] in edges


async def work(name: str) -> None:
    async with xray_recorder.in_subsegment_async(name):
        await asyncio.sleep(0.01)


async def work_at_once() -> str:
    async with xray_recorder.in_segment_async("asynchronous") as segment:
        await asyncio.gather(work("one"), work("another"))
        return str(segment.trace_id)


async def with_a_context() -> str:
    # It belongs to the loop in which it is made, and to the tasks that start after that.
    xray_recorder.configure(service="shop", sampling=False, context=AsyncContext(), context_missing="IGNORE_ERROR")
    return await asyncio.create_task(work_at_once())


def test_coroutines(xray: Any) -> None:
    trace = asyncio.run(with_a_context())
    seen = segments(xray, trace, 1)["asynchronous"]["subsegments"]
    assert sorted(each["name"] for each in seen) == ["another", "one"]


def test_sampling_rules_come_from_the_daemon(xray: Any) -> None:
    rule = {
        "RuleName": "nothing-of-this",
        "Priority": 1,
        "FixedRate": 0.0,
        "ReservoirSize": 0,
        "ServiceName": "never",
        "ServiceType": "*",
        "Host": "*",
        "HTTPMethod": "*",
        "URLPath": "*",
        "ResourceARN": "*",
        "Version": 1,
    }
    xray.create_sampling_rule(SamplingRule=rule)
    xray_recorder.configure(service="never", sampling=True)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        segment = xray_recorder.begin_segment("never")
        xray_recorder.end_segment()
        if not segment.sampled:
            break
        # As long as it knows no rules, it samples one segment a second.
        time.sleep(1.05)
    assert not segment.sampled
