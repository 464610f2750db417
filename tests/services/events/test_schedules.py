"""Schedule expressions, and the rules that run by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.core.kernel.errors import unavailable
from cloudlet.services.events.schedule import parse
from tests.services.sns.cloud import LocalSns, local_sns


def following(expression: str, after: str) -> str | None:
    moment = parse(expression)(datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp())
    return None if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("rate(1 minute)", "2026-01-01T00:00", "2026-01-01T00:01"),
        ("rate(5 minutes)", "2026-01-01T00:02", "2026-01-01T00:07"),
        ("rate(1 hour)", "2026-01-01T00:30", "2026-01-01T01:30"),
        ("rate(7 days)", "2026-01-01T00:00", "2026-01-08T00:00"),
        ("cron(0 10 * * ? *)", "2026-01-01T10:00", "2026-01-02T10:00"),
        ("cron(15 12 * * ? *)", "2026-01-01T12:14", "2026-01-01T12:15"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-27T18:00", "2026-11-30T18:00"),
        ("cron(0 8 1 * ? *)", "2026-01-01T08:00", "2026-02-01T08:00"),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:50", "2026-01-01T01:00"),
        ("cron(0/10 * ? * MON-FRI *)", "2026-11-27T23:55", "2026-11-30T00:00"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-26T17:55", "2026-11-27T08:00"),
        ("cron(0/30 20-2 ? * MON-FRI *)", "2026-11-26T02:30", "2026-11-26T20:00"),
        ("cron(0 0 L * ? *)", "2026-02-01T00:00", "2026-02-28T00:00"),
        ("cron(0 0 LW * ? *)", "2026-02-01T00:00", "2026-02-27T00:00"),
        ("cron(0 0 15W * ? *)", "2026-02-01T00:00", "2026-02-16T00:00"),
        ("cron(0 0 1W * ? *)", "2026-07-31T12:00", "2026-08-03T00:00"),
        ("cron(0 0 29 2 ? *)", "2026-03-01T00:00", "2028-02-29T00:00"),
        ("cron(0 0 ? * 3#2 *)", "2026-11-01T00:00", "2026-11-10T00:00"),
        ("cron(0 0 ? * 6L *)", "2026-11-01T00:00", "2026-11-27T00:00"),
        ("cron(0 0 ? * FRI-MON *)", "2026-11-24T00:00", "2026-11-27T00:00"),
        ("cron(0 0 1 JAN,JUL ? *)", "2026-02-01T00:00", "2026-07-01T00:00"),
        ("cron(0 0 1 1 ? 2030-2031)", "2026-02-01T00:00", "2030-01-01T00:00"),
        ("cron(0 0 1 1 ? 2026)", "2026-02-01T00:00", None),
    ],
)
def test_when_a_schedule_is_due_next(expression: str, after: str, expected: str | None) -> None:
    assert following(expression, after) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "nonsense",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 8 *)",
        "cron(* * ? * 2#6 *)",
        "cron(* * * * ? 1969)",
        "cron(a * * * ? *)",
        "cron(1/0 * * * ? *)",
        "cron(1- * * * ? *)",
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(AwsError, match="ScheduleExpression is not valid"):
        parse(expression)


@given(st.integers(0, 59), st.integers(0, 23), st.integers(1, 31), st.integers(0, 4_000_000_000))
@settings(max_examples=50)
def test_a_due_moment_is_later_and_is_what_the_fields_say(minute: int, hour: int, day: int, after: int) -> None:
    moment = parse(f"cron({minute} {hour} {day} * ? *)")(after)
    assert moment is not None
    assert moment > after
    found = datetime.fromtimestamp(moment, UTC)
    assert (found.minute, found.hour, found.day, found.second) == (minute, hour, day, 0)


class Local:
    """EventBridge within the test, with a clock that the test moves, and a queue."""

    def __init__(self, sns: LocalSns) -> None:
        self.sns = sns
        self.queue = self.call("CreateQueue", service="sqs", QueueName="q")["QueueUrl"]
        self.arn = "arn:aws:sqs:eu-west-1:111111111111:q"

    def call(self, operation: str, *, service: str = "events", **params: Any) -> Any:
        return self.sns.call(operation, service=service, **params)

    def bodies(self, count: int) -> list[Any]:
        """Return so many messages, once they are there; no more may be."""
        found: list[Any] = []

        def enough() -> bool:
            answer = self.call("ReceiveMessage", service="sqs", QueueUrl=self.queue, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.call("DeleteMessage", service="sqs", QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        self.sns.until(enough)
        assert len(found) == count
        return found


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with local_sns(tmp_path) as sns:
        yield Local(sns)


def test_a_rule_runs_by_its_rate(local: Local) -> None:
    rule = local.call("PutRule", Name="tick", ScheduleExpression="rate(1 hour)")["RuleArn"]
    local.call("PutTargets", Rule="tick", Targets=[{"Id": "1", "Arn": local.arn}])
    local.sns.advance(3599)
    local.bodies(0)
    local.sns.advance(1)
    (event,) = local.bodies(1)
    assert event["time"] == "2023-11-14T23:13:20Z"
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert (event["resources"], event["detail"]) == ([rule], {})
    local.sns.advance(3600)
    local.bodies(1)
    local.call("DisableRule", Name="tick")
    local.sns.advance(36_000)
    local.bodies(0)
    local.call("EnableRule", Name="tick")
    local.sns.advance(3600)
    local.bodies(1)
    local.call("RemoveTargets", Rule="tick", Ids=["1"])
    local.call("DeleteRule", Name="tick")
    local.sns.advance(36_000)
    local.bodies(0)


def test_a_rule_that_is_put_anew_runs_by_its_new_schedule_only(local: Local) -> None:
    local.call("PutRule", Name="tick", ScheduleExpression="rate(1 hour)")
    local.call("PutTargets", Rule="tick", Targets=[{"Id": "1", "Arn": local.arn, "Input": '"t"'}])
    local.call("PutRule", Name="tick", ScheduleExpression="cron(0 10 * * ? *)")
    local.sns.advance(7200)
    local.bodies(0)
    local.sns.advance(12 * 3600)
    assert local.bodies(1) == ["t"]


def test_schedules_are_for_the_default_bus(local: Local) -> None:
    local.call("CreateEventBus", Name="b")
    with pytest.raises(AwsError, match="only on the default event bus"):
        local.call("PutRule", Name="tick", EventBusName="b", ScheduleExpression="rate(1 hour)")


class _Down:
    """SQS that is down until the test says otherwise."""

    def __init__(self, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
        self.down = True
        self.tries = 0
        self._call = local.sns.cloud.call
        monkeypatch.setattr(local.sns.cloud, "call", self._called)

    async def _called(self, service: str, operation: str, params: dict[str, Any], **more: Any) -> Any:
        if self.down and operation == "SendMessageBatch":
            self.tries += 1
            raise unavailable()
        return await self._call(service, operation, params, **more)


def _put(local: Local, **target: Any) -> None:
    local.call("PutRule", Name="r", EventPattern='{"source":["shop"]}')
    local.call("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": local.arn, **target}])
    entry = {"Source": "shop", "DetailType": "t", "Detail": "{}"}
    local.call("PutEvents", Entries=[entry])


def test_a_delivery_that_fails_is_tried_again_by_the_clock(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = _Down(local, monkeypatch)
    _put(local)
    local.sns.until(lambda: sqs.tries == 1)
    for tries, pause in ((2, 1), (3, 2), (4, 4)):
        local.sns.advance(pause - 0.01)
        assert sqs.tries == tries - 1
        local.sns.advance(0.02)
        local.sns.until(lambda tries=tries: sqs.tries == tries)  # type: ignore[misc]
    sqs.down = False
    local.sns.advance(10)
    assert local.bodies(1)[0]["source"] == "shop"


@pytest.mark.parametrize(
    ("policy", "condition", "attempts"),
    [
        ({"MaximumRetryAttempts": 0}, "MaximumRetryAttempts", "0"),
        ({"MaximumRetryAttempts": 2}, "MaximumRetryAttempts", "2"),
        ({"MaximumEventAgeInSeconds": 60}, "MaximumEventAgeInSeconds", "5"),
    ],
)
def test_retries_end_where_the_policy_says(
    local: Local, monkeypatch: pytest.MonkeyPatch, policy: dict[str, int], condition: str, attempts: str
) -> None:
    sqs = _Down(local, monkeypatch)
    dead = local.call("CreateQueue", service="sqs", QueueName="dead")["QueueUrl"]
    _put(local, RetryPolicy=policy, DeadLetterConfig={"Arn": local.arn.replace(":q", ":dead")})
    # Each retry takes place, and the delivery to the dead-letter queue fails for the first time.
    for tries in range(1, int(attempts) + 3):
        local.sns.until(lambda tries=tries: sqs.tries >= tries)  # type: ignore[misc]
        if tries <= int(attempts):
            local.sns.advance(2.0 ** (tries - 1))
    sqs.down = False
    local.sns.advance(1)
    letters: list[Any] = []

    def received() -> bool:
        answer = local.call("ReceiveMessage", service="sqs", QueueUrl=dead, MessageAttributeNames=["All"])
        letters.extend(answer.get("Messages", []))
        return bool(letters)

    local.sns.until(received)
    told = {name: value["StringValue"] for name, value in letters[0]["MessageAttributes"].items()}
    assert (told["EXHAUSTED_RETRY_CONDITION"], told["RETRY_ATTEMPTS"]) == (condition, attempts)
