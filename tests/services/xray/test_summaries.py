"""Summaries: what they tell, and when they are found."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.xray.segments import part, put, segment, trace_id


def summaries(xray: Any, begin: float, end: float, **more: Any) -> list[dict[str, Any]]:
    """Return all summaries of a time range."""
    pages = xray.get_paginator("get_trace_summaries").paginate(StartTime=begin, EndTime=end, **more)
    return [each for page in pages for each in page["TraceSummaries"]]


def test_what_a_summary_tells(xray: Any) -> None:
    trace = trace_id()
    top = segment(
        trace,
        took=2,
        user="ada",
        origin="AWS::EC2::Instance",
        resource_arn="arn:aws:ec2:eu-west-1:123456789012:instance/i-1",
        annotations={"customer": "7", "paid": True, "items": 3},
        aws={"ec2": {"instance_id": "i-1", "availability_zone": "eu-west-1a"}},
        http={
            "request": {"url": "http://shop/", "method": "GET", "user_agent": "curl", "client_ip": "10.0.0.1"},
            "response": {"status": 503},
        },
    )
    call = part(
        top,
        "DynamoDB",
        took=1.5,
        namespace="aws",
        fault=True,
        aws={"table_name": "orders"},
        cause={"exceptions": [{"id": "0" * 16, "type": "Timeout", "message": "too slow"}]},
    )
    put(xray, top | {"subsegments": [call]})
    (told,) = summaries(xray, time.time() - 60, time.time() + 60)
    account = told["EntryPoint"]["AccountId"]
    shop = {"Name": "shop", "Names": ["shop"], "AccountId": account, "Type": "AWS::EC2::Instance"}
    table = {"Name": "orders", "Names": ["orders"], "AccountId": account, "Type": "AWS::DynamoDB::Table"}
    assert (told["Id"], told["Duration"], told["ResponseTime"]) == (trace, 2, 2)
    assert told["StartTime"] == datetime.fromtimestamp(top["start_time"], UTC)
    assert (told["HasFault"], told["HasError"], told["HasThrottle"], told["IsPartial"]) == (True, False, False, False)
    assert told["Http"] == {
        "HttpURL": "http://shop/",
        "HttpStatus": 503,
        "HttpMethod": "GET",
        "UserAgent": "curl",
        "ClientIp": "10.0.0.1",
    }
    assert told["Annotations"] == {
        "customer": [{"AnnotationValue": {"StringValue": "7"}, "ServiceIds": [shop]}],
        "paid": [{"AnnotationValue": {"BooleanValue": True}, "ServiceIds": [shop]}],
        "items": [{"AnnotationValue": {"NumberValue": 3.0}, "ServiceIds": [shop]}],
    }
    assert told["Users"] == [{"UserName": "ada", "ServiceIds": [shop]}]
    assert told["ServiceIds"] == [shop, table]
    assert told["EntryPoint"] == shop
    assert told["ResourceARNs"] == [{"ARN": "arn:aws:ec2:eu-west-1:123456789012:instance/i-1"}]
    assert (told["InstanceIds"], told["AvailabilityZones"]) == ([{"Id": "i-1"}], [{"Name": "eu-west-1a"}])
    (cause,) = told["FaultRootCauses"]
    assert cause["ClientImpacting"] is True
    assert cause["Services"][0]["EntityPath"] == [
        {"Name": "shop", "Exceptions": [], "Remote": False},
        {"Name": "DynamoDB", "Exceptions": [{"Name": "Timeout", "Message": "too slow"}], "Remote": True},
    ]
    (slow,) = told["ResponseTimeRootCauses"]
    assert [each["Coverage"] for each in slow["Services"][0]["EntityPath"]] == [1, 0.75]
    assert told["Revision"] == 1


def test_time_ranges(xray: Any) -> None:
    """A trace that begins at 0 and has a segment from 0 to 100, as each kind of time range finds it."""
    base = int(time.time()) - 10_000
    trace = trace_id(base)
    put(xray, segment(trace, took=100), segment(trace, took=50))

    def found(kind: str, begin: int, end: int) -> int:
        return len(summaries(xray, base + begin, base + end, TimeRangeType=kind))

    assert [found("TraceId", 0, 1), found("TraceId", 1, 200), found("TraceId", -10, 0)] == [1, 0, 0]
    assert [found("Service", 60, 200), found("Service", 0, 50), found("Service", 40, 60)] == [1, 0, 1]
    assert [found("Event", 60, 70), found("Event", 0, 200), found("Event", -10, 0), found("Event", 101, 200)] == [
        1,
        1,
        0,
        0,
    ]


def test_pages(xray: Any) -> None:
    now = time.time()
    sent = [segment(trace_id(now), took=index) for index in range(120)]
    for at in range(0, len(sent), 40):
        assert put(xray, *sent[at : at + 40]) == []
    first = xray.get_trace_summaries(StartTime=now - 60, EndTime=now + 60)
    assert (len(first["TraceSummaries"]), first["TracesProcessedCount"]) == (100, 100)
    assert {each["Id"] for each in summaries(xray, now - 60, now + 60)} == {each["trace_id"] for each in sent}
    assert len(summaries(xray, now - 60, now + 60, FilterExpression="duration >= 110")) == 10
    assert len(summaries(xray, now - 60, now + 60, TimeRangeType="Event")) == 120
    half = {"Name": "FixedRate", "Value": 0.5}
    for kind in ("TraceId", "Event", "Service"):
        sampled = summaries(xray, now - 60, now + 200, TimeRangeType=kind, SamplingStrategy=half)
        assert 30 < len(sampled) < 90
    assert len(summaries(xray, now - 60, now + 60, Sampling=True)) == 120
    assert len(summaries(xray, now - 60, now + 60, Sampling=False, SamplingStrategy=half)) == 120
    assert summaries(xray, now - 60, now + 60, SamplingStrategy={"Name": "PartialScan", "Value": 0.0}) == []


@pytest.mark.parametrize(
    "params",
    [
        {"EndTime": 1},
        {"StartTime": 1},
        {"FilterExpression": "nonsense = 1"},
        {"NextToken": "?"},
        {"SamplingStrategy": {"Name": "FixedRate", "Value": 1.5}},
        {"SamplingStrategy": {"Name": "PartialScan"}},
    ],
)
def test_what_is_refused(xray: Any, params: dict[str, Any]) -> None:
    now = time.time()
    with pytest.raises(ClientError) as raised:
        xray.get_trace_summaries(**{"StartTime": now - 60, "EndTime": now, **params})
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"
