"""Putting events and reading them in both directions."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs.events import Position, position_of
from tests.refused import refused
from tests.services.logs.conftest import LocalLogs

DAY = 86_400_000


@pytest.fixture
def stream(logs: Any) -> dict[str, str]:
    """A stream, as parameters name it."""
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    return {"logGroupName": "g", "logStreamName": "s"}


def now() -> int:
    return int(time.time() * 1000)


def put(logs: Any, stream: dict[str, str], *events: tuple[int, str]) -> dict[str, Any]:
    batch = [{"timestamp": timestamp, "message": message} for timestamp, message in events]
    return dict(logs.put_log_events(**stream, logEvents=batch))


def messages(page: dict[str, Any]) -> list[str]:
    return [event["message"] for event in page["events"]]


def test_events_come_in_the_order_of_time_then_of_putting(logs: Any, stream: dict[str, str]) -> None:
    at = now() // 1000 * 1000
    put(logs, stream, (at, "b"), (at, "c"), (at + 2500, "f"))
    put(logs, stream, (at - 5000, "a"), (at, "d"), (at + 1, "e"), (at + 2500, "g"))
    page = logs.get_log_events(**stream, startFromHead=True)
    assert messages(page) == list("abcdefg")
    assert page["events"][0]["timestamp"] == at - 5000
    assert abs(page["events"][0]["ingestionTime"] - at) < 60_000
    assert messages(logs.get_log_events(**stream)) == list("abcdefg")
    assert messages(logs.get_log_events(**stream, limit=3)) == list("efg")
    assert messages(logs.get_log_events(**stream, limit=3, startFromHead=True)) == list("abc")
    # The start counts, the end does not.
    assert messages(logs.get_log_events(**stream, startTime=at, endTime=at + 2500)) == list("bcde")


def test_tokens_lead_forward_and_backward_and_stay_at_the_ends(logs: Any, stream: dict[str, str]) -> None:
    at = now()
    put(logs, stream, *((at + number // 3, str(number)) for number in range(10)))
    first = logs.get_log_events(**stream, startFromHead=True, limit=4)
    second = logs.get_log_events(**stream, startFromHead=True, limit=4, nextToken=first["nextForwardToken"])
    third = logs.get_log_events(**stream, startFromHead=True, limit=4, nextToken=second["nextForwardToken"])
    assert [messages(page) for page in (first, second, third)] == [list("0123"), list("4567"), list("89")]
    end = logs.get_log_events(**stream, startFromHead=True, limit=4, nextToken=third["nextForwardToken"])
    assert messages(end) == []
    assert end["nextForwardToken"] == third["nextForwardToken"]
    assert messages(logs.get_log_events(**stream, limit=4, nextToken=end["nextBackwardToken"])) == list("6789")
    back = logs.get_log_events(**stream, limit=4, nextToken=third["nextBackwardToken"])
    assert messages(back) == list("4567")
    start = logs.get_log_events(**stream, nextToken=first["nextBackwardToken"])
    assert messages(start) == []
    assert start["nextBackwardToken"] == first["nextBackwardToken"]
    assert messages(logs.get_log_events(**stream, limit=4, nextToken=start["nextForwardToken"])) == list("0123")
    put(logs, stream, (at + 100, "new"))
    assert messages(logs.get_log_events(**stream, nextToken=end["nextForwardToken"])) == ["new"]
    for token in ("f/1/s", f"f/{'9' * 56}/s", f"x/{'0' * 56}/s", f"f/{'0' * 56}/x", "f"):
        assert refused(logs.get_log_events, **stream, nextToken=token) == (
            "InvalidParameterException",
            "The specified nextToken is invalid.",
        )


def test_an_empty_stream_has_tokens_that_lead_on(logs: Any, stream: dict[str, str]) -> None:
    page = logs.get_log_events(**stream)
    assert page["events"] == []
    put(logs, stream, (now(), "m"))
    assert messages(logs.get_log_events(**stream, nextToken=page["nextForwardToken"])) == ["m"]


def test_a_page_has_one_megabyte(logs: Any, stream: dict[str, str]) -> None:
    at = now()
    for number in range(5):
        put(logs, stream, (at, f"{number}" + "x" * 400_000))
    first = logs.get_log_events(**stream)
    assert [message[0] for message in messages(first)] == ["3", "4"]
    second = logs.get_log_events(**stream, nextToken=first["nextBackwardToken"])
    assert [message[0] for message in messages(second)] == ["1", "2"]


def test_many_events_of_one_moment_are_had_page_by_page(local: LocalLogs) -> None:
    stream = {"logGroupName": "g", "logStreamName": "s"}
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", **stream)
    for batch in range(4):
        events = [{"timestamp": local.millis, "message": str(batch * 10_000 + number)} for number in range(10_000)]
        local.call("PutLogEvents", **stream, logEvents=events)
    for token, head in (("nextForwardToken", True), ("nextBackwardToken", False)):
        found: list[int] = []
        page = local.call("GetLogEvents", **stream, startFromHead=head, limit=9_000)
        while page["events"]:
            some = [int(message) for message in messages(page)]
            found = found + some if head else some + found
            page = local.call("GetLogEvents", **stream, limit=9_000, nextToken=page[token])
        assert found == list(range(40_000))


def test_a_batch_has_limits(logs: Any, stream: dict[str, str]) -> None:
    at = now()

    def refusal(*events: tuple[int, str]) -> tuple[str, str]:
        batch = [{"timestamp": timestamp, "message": message} for timestamp, message in events]
        return refused(logs.put_log_events, **stream, logEvents=batch)

    assert refusal((at, "a"), (at - 1, "b")) == (
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )
    assert refusal((at - DAY - 1, "a"), (at, "b")) == (
        "InvalidParameterException",
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )
    # 26 bytes count for each event besides its message.
    limit = 1_048_576
    assert refusal((at, "x" * (limit - 25))) == (
        "InvalidParameterException",
        f"Upload too large: {limit + 1} bytes exceeds limit of {limit}",
    )
    assert refusal(*[(at, "x")] * 10_001)[0] == "InvalidParameterException"
    put(logs, stream, (at, "ü" * ((limit - 26) // 2)))
    put(logs, stream, *[(at, "x")] * 10_000)


def test_events_that_are_too_old_or_too_new_are_left_out(logs: Any, stream: dict[str, str]) -> None:
    at = now()
    batch = [(at - 15 * DAY, "old"), (at - 60_000, "a"), (at, "b"), (at + 3 * 3_600_000, "new")]
    answer = put(logs, stream, *batch)
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 3, "tooOldLogEventEndIndex": 1}
    assert messages(logs.get_log_events(**stream)) == ["a", "b"]
    logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    answer = put(logs, stream, (at - 2 * DAY, "expired"), (at, "c"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert messages(logs.get_log_events(**stream)) == ["a", "b", "c"]


def test_what_is_not_there_is_an_error(logs: Any, stream: dict[str, str]) -> None:
    events = [{"timestamp": now(), "message": "m"}]
    missing = {"logGroupName": "g", "logStreamName": "x"}
    code = "ResourceNotFoundException"
    assert refused(logs.put_log_events, **missing, logEvents=events)[0] == code
    assert refused(logs.get_log_events, **missing)[0] == code
    assert refused(logs.put_log_events, **{**stream, "logGroupName": "x"}, logEvents=events)[0] == code
    assert refused(logs.get_log_events, logStreamName="s")[0] == "InvalidParameterException"
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    assert logs.get_log_events(logGroupIdentifier=arn, logStreamName="s")["events"] == []


def test_expired_events_are_not_shown_and_then_removed(local: LocalLogs) -> None:
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    local.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    empty = local.rows()

    def shown() -> list[str]:
        return messages(local.call("GetLogEvents", logGroupName="g", logStreamName="s"))

    for message in ("one", "two"):
        events = [{"timestamp": local.millis, "message": message}]
        local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)
        local.advance(43_200)
    assert shown() == ["one", "two"]
    local.advance(1)
    assert shown() == ["two"]
    local.advance(43_200)
    assert shown() == []
    local.advance(120)
    # What remains is the counter of bytes, at nothing.
    assert local.rows() == empty + 1
    assert local.call("DescribeLogGroups")["logGroups"][0]["storedBytes"] == 0


numbers = st.integers(0, (1 << 48) - 1)


@given(st.lists(st.tuples(numbers, numbers, numbers, st.integers(0, 9_999)), min_size=2, max_size=2))
def test_ids_of_events_sort_as_their_positions_do(parts: list[tuple[int, int, int, int]]) -> None:
    one, other = (Position(*some) for some in parts)
    assert position_of(one.id) == one
    assert (one.id < other.id) == (one < other)


def test_a_deleted_group_leaves_nothing(local: LocalLogs) -> None:
    def fill(group: str) -> None:
        local.call("CreateLogGroup", logGroupName=group)
        transformation = {"metricName": "m", "metricNamespace": "N", "metricValue": "1"}
        local.call(
            "PutMetricFilter",
            logGroupName=group,
            filterName="f",
            filterPattern="m",
            metricTransformations=[transformation],
        )
        local.call("StartLiveTail", logGroupIdentifiers=[group])
        for stream in ("s", "t"):
            local.call("CreateLogStream", logGroupName=group, logStreamName=stream)
            events = [{"timestamp": local.millis + number * 1000, "message": "m"} for number in range(3)]
            local.call("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events)
        local.call("DeleteLogStream", logGroupName=group, logStreamName="t")

    fill("kept")
    local.advance(1)
    before = local.rows()
    fill("gone")
    local.call("DeleteLogGroup", logGroupName="gone")
    local.advance(1)
    assert local.rows() == before
