"""Events as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws


@pytest.fixture
def tailing(aws: Aws) -> Any:
    """A client that does not put `stream-` before the host's name."""
    return aws.client("logs", config=Config(inject_host_prefix=False))


@pytest.fixture
def groups(logs: Any) -> list[str]:
    """The ARNs of the groups g and h, which have streams a/1 and b."""
    for group in ("g", "h"):
        logs.create_log_group(logGroupName=group)
        for stream in ("a/1", "b"):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
    return [group["logGroupArn"] for group in logs.describe_log_groups()["logGroups"]]


def put(logs: Any, group: str, stream: str, *messages: str) -> None:
    at = int(time.time() * 1000)
    events = [{"timestamp": at, "message": message} for message in messages]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def results(stream: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return the next events that are told, so many at least."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 120
    while len(found) < count:
        assert time.monotonic() < end, f"only these came: {found}"
        found += next(stream)["sessionUpdate"]["sessionResults"]
    return found


def test_events_are_told_once_as_they_come(logs: Any, tailing: Any, groups: list[str]) -> None:
    put(logs, "g", "b", "before")
    with closing(tailing.start_live_tail(logGroupIdentifiers=groups)["responseStream"]) as answer:
        stream = iter(answer)
        assert next(stream)["sessionStart"]["logGroupIdentifiers"] == groups
        put(logs, "g", "b", "one", "two")
        first = results(stream, 2)
        put(logs, "h", "a/1", "three")
        put(logs, "g", "b", "four")
        assert [event["message"] for event in first] == ["one", "two"]
        assert sorted(event["message"] for event in results(stream, 2)) == ["four", "three"]
    assert first[0]["logStreamName"] == "b"
    assert first[0]["logGroupIdentifier"].endswith(":g")
    assert first[0]["timestamp"] <= first[0]["ingestionTime"]


def test_streams_and_events_are_chosen(logs: Any, tailing: Any, groups: list[str]) -> None:
    asked = {"logStreamNamePrefixes": ["a/"], "logEventFilterPattern": "ERROR"}
    with closing(tailing.start_live_tail(logGroupIdentifiers=groups[:1], **asked)["responseStream"]) as answer:
        stream = iter(answer)
        next(stream)
        put(logs, "g", "b", "ERROR elsewhere")
        put(logs, "g", "a/1", "fine", "ERROR here")
        assert [event["message"] for event in results(stream, 1)] == ["ERROR here"]


def test_an_update_has_500_events_at_most(logs: Any, tailing: Any, groups: list[str]) -> None:
    with closing(tailing.start_live_tail(logGroupIdentifiers=groups[:1])["responseStream"]) as answer:
        stream = iter(answer)
        next(stream)
        put(logs, "g", "b", *["m"] * 501)
        while not (update := next(stream)["sessionUpdate"])["sessionResults"]:
            pass
        assert len(update["sessionResults"]) == 500
        assert update["sessionMetadata"] == {"sampled": True}


def test_what_cannot_be_tailed_is_refused(tailing: Any, groups: list[str]) -> None:
    def code(**params: Any) -> str:
        with pytest.raises(ClientError) as caught:
            tailing.start_live_tail(**params)
        return str(caught.value.response["Error"]["Code"])

    invalid = "InvalidParameterException"
    assert code(logGroupIdentifiers=[f"{groups[0]}x"]) == "ResourceNotFoundException"
    assert code(logGroupIdentifiers=groups, logStreamNames=["b"]) == invalid
    assert code(logGroupIdentifiers=groups[:1], logStreamNames=["b"], logStreamNamePrefixes=["a"]) == invalid
    assert code(logGroupIdentifiers=groups, logEventFilterPattern="[") == invalid
