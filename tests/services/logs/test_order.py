"""Pages, in both directions and of any size, have all events once and in order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.services.logs import scanning
from tests.services.logs.conftest import LocalLogs

STREAMS = ("a", "b")
times = st.lists(st.integers(0, 3000) | st.integers(1000, 1003), min_size=1, max_size=6)
batches = st.lists(st.tuples(st.sampled_from(STREAMS), times), max_size=8)


def pages(local: LocalLogs, operation: str, token: str, limit: int, **params: Any) -> list[list[int]]:
    """Return the numbers in the messages of all pages."""
    found: list[list[int]] = []
    place: dict[str, Any] = {}
    while True:
        answer = local.call(operation, logGroupName="g", limit=limit, **params, **place)
        found.append([int(event["message"]) for event in answer["events"]])
        following = answer.get(token)
        if following is None or place.get("nextToken") == following:
            return found
        place = {"nextToken": following}


def flat(found: list[list[int]]) -> list[int]:
    return [number for page in found for number in page]


@pytest.mark.parametrize("spare", [0, 10_000])
@settings(max_examples=25)
@given(batches, st.integers(1, 5), st.integers(-1000, 4000), st.integers(-1000, 4000))
def test_pages_have_all_events_once_and_in_order(
    spare: int, given: list[tuple[str, list[int]]], limit: int, first: int, last: int
) -> None:
    with TemporaryDirectory() as folder, patch.object(scanning, "_SPARE_EVENTS", spare):
        local = LocalLogs(Path(folder))
        try:
            _check(local, given, limit, first, last)
        finally:
            local.close()


def _check(local: LocalLogs, given: list[tuple[str, list[int]]], limit: int, first: int, last: int) -> None:
    local.call("CreateLogGroup", logGroupName="g")
    for stream in STREAMS:
        local.call("CreateLogStream", logGroupName="g", logStreamName=stream)
    start = local.millis - 10_000
    put: list[tuple[int, str, int]] = []
    for stream, times in given:
        events = []
        for time in sorted(times):
            put.append((time, stream, len(put)))
            events.append({"timestamp": start + time, "message": str(len(put) - 1)})
        local.call("PutLogEvents", logGroupName="g", logStreamName=stream, logEvents=events)
    put.sort()
    span = {"startTime": start + first, "endTime": start + last}
    wanted = [number for time, _, number in put if first <= time <= last]
    for head in (True, False):
        found = pages(local, "FilterLogEvents", "nextToken", limit, startFromHead=head, **span)
        assert flat(found) == (wanted if head else wanted[::-1])
    # The end of GetLogEvents does not count.
    one = [number for time, stream, number in put if stream == "a" and first <= time < last]
    named = {"logStreamName": "a", **span}
    forward = pages(local, "GetLogEvents", "nextForwardToken", limit, startFromHead=True, **named)
    assert flat(forward) == one
    assert flat(pages(local, "GetLogEvents", "nextBackwardToken", limit, **named)[::-1]) == one
