"""Searching the events of a group."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cloudlet.services.logs import scanning
from tests.refused import code_of
from tests.services.logs.conftest import LocalLogs


@pytest.fixture
def group(logs: Any) -> int:
    """A group `g` whose streams a, b and c have a message every 100 ms, in turn; return the time of the first."""
    at = int(time.time() * 1000) - 10_000
    logs.create_log_group(logGroupName="g")
    for place, name in enumerate(("s/a", "s/b", "t/c")):
        logs.create_log_stream(logGroupName="g", logStreamName=name)
        events = [
            {"timestamp": at + number * 100, "message": f"{'odd' if number % 2 else 'even'} {number}"}
            for number in range(place, 30, 3)
        ]
        logs.put_log_events(logGroupName="g", logStreamName=name, logEvents=events)
    return at


def found(logs: Any, **params: Any) -> list[int]:
    """Return the numbers in the messages that are found, over all pages."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="g", **params)
    return [int(event["message"].split()[1]) for page in pages for event in page["events"]]


def test_events_of_all_streams_come_in_the_order_of_time(logs: Any, group: int) -> None:
    assert found(logs) == list(range(30))
    assert found(logs, limit=7) == list(range(30))
    assert found(logs, startFromHead=False) == list(range(29, -1, -1))
    assert found(logs, startFromHead=False, limit=4) == list(range(29, -1, -1))
    # Both ends count.
    assert found(logs, startTime=group + 500, endTime=group + 900) == [5, 6, 7, 8, 9]


def test_streams_are_chosen_by_name_or_prefix(logs: Any, group: int) -> None:
    assert found(logs, logStreamNames=["s/a"], limit=3) == list(range(0, 30, 3))
    assert found(logs, logStreamNames=["s/a", "t/c"]) == [n for n in range(30) if n % 3 != 1]
    assert found(logs, logStreamNamePrefix="s/", startFromHead=False)[:3] == [28, 27, 25]
    assert found(logs, logStreamNamePrefix="x") == []
    both = {"logStreamNames": ["s/a"], "logStreamNamePrefix": "s"}
    assert code_of(logs.filter_log_events, logGroupName="g", **both) == "InvalidParameterException"
    assert code_of(logs.filter_log_events, logGroupName="g", logStreamNames=["x"]) == "ResourceNotFoundException"
    assert code_of(logs.filter_log_events, logGroupName="x") == "ResourceNotFoundException"


def test_a_pattern_chooses_events(logs: Any, group: int) -> None:
    assert found(logs, filterPattern="odd") == list(range(1, 30, 2))
    assert found(logs, filterPattern="[kind = even, number > 20]", limit=2) == [22, 24, 26, 28]
    assert found(logs, filterPattern="") == list(range(30))
    assert code_of(logs.filter_log_events, logGroupName="g", filterPattern="{") == "InvalidParameterException"
    assert code_of(logs.filter_log_events, logGroupName="g", nextToken="x") == "InvalidParameterException"


def test_an_event_is_shown_with_its_stream_and_id(logs: Any, group: int) -> None:
    first, second = logs.filter_log_events(logGroupName="g", limit=2)["events"]
    assert first["eventId"] < second["eventId"]
    assert abs(first.pop("ingestionTime") - group) < 60_000
    assert len(first.pop("eventId")) == 56
    assert first == {"logStreamName": "s/a", "timestamp": group, "message": "even 0"}


def test_events_of_a_deleted_stream_are_not_found(logs: Any, group: int) -> None:
    logs.delete_log_stream(logGroupName="g", logStreamName="s/a")
    assert found(logs) == [n for n in range(30) if n % 3]


def test_a_pattern_is_tried(logs: Any) -> None:
    answer = logs.test_metric_filter(
        filterPattern="[ip, user, status = 4*]", logEventMessages=["1.1.1.1 a 200", "1.1.1.2 b 404"]
    )
    assert answer["matches"] == [
        {
            "eventNumber": 2,
            "eventMessage": "1.1.1.2 b 404",
            "extractedValues": {"$ip": "1.1.1.2", "$user": "b", "$status": "404"},
        }
    ]
    call = logs.test_metric_filter
    assert code_of(call, filterPattern="[", logEventMessages=["a"]) == "InvalidParameterException"


@pytest.mark.parametrize("head", [True, False])
def test_a_page_ends_when_much_has_been_read(local: LocalLogs, monkeypatch: pytest.MonkeyPatch, head: bool) -> None:
    monkeypatch.setattr(scanning, "_MOST_READ_BYTES", 1000)
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    start = local.millis - 1_000_000
    for second in range(50):
        events = [{"timestamp": start + second * 1000, "message": f"{second:02} " + "x" * 200}]
        local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)
    pages = 0
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = local.call(
            "FilterLogEvents", logGroupName="g", filterPattern='?"07 " ?"31 "', startFromHead=head, **token
        )
        pages += 1
        seen += [event["message"][:2] for event in page["events"]]
        if page.get("nextToken") is None:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == (["07", "31"] if head else ["31", "07"])
    assert pages > 5
