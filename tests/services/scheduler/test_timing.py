"""When schedules are due, in time zones too, and what a moved clock makes of it."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core.kernel.errors import unavailable
from cloudlet.services.scheduler import scheduling
from cloudlet.services.scheduler.timing import Timing
from tests.services.sns.cloud import ACCOUNT, LocalSns, local_sns

_NOW = 1_700_000_000.0
"""2023-11-14T22:13:20Z, when the tests' clock stands."""
_NEW_YORK = "America/New_York"


def _moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def _times(timing: Timing, after: str, count: int) -> list[str]:
    """Return when a schedule is due after a moment."""
    found: list[str] = []
    last: float | None = _moment(after)
    while last is not None and len(found) < count and (last := timing.following(last)) is not None:
        found.append(datetime.datetime.fromtimestamp(last, datetime.UTC).strftime("%Y-%m-%dT%H:%M"))
    return found


def _cron(expression: str, zone: str = "UTC") -> Timing:
    return Timing(expression, zone, None, None, 0.0)


def test_cron_is_in_the_time_zone() -> None:
    daily = _cron("cron(30 9 * * ? *)", _NEW_YORK)
    assert _times(daily, "2024-03-08T00:00", 4) == [
        "2024-03-08T14:30",
        "2024-03-09T14:30",
        "2024-03-10T13:30",
        "2024-03-11T13:30",
    ]


def test_what_falls_into_the_hour_that_is_left_out_does_not_run() -> None:
    assert _times(_cron("cron(30 2 * * ? *)", _NEW_YORK), "2024-03-09T00:00", 2) == [
        "2024-03-09T07:30",
        "2024-03-11T06:30",
    ]


def test_what_falls_into_the_hour_that_comes_twice_runs_once() -> None:
    assert _times(_cron("cron(30 1 * * ? *)", _NEW_YORK), "2024-11-02T00:00", 3) == [
        "2024-11-02T05:30",
        "2024-11-03T05:30",
        "2024-11-04T06:30",
    ]


def test_a_single_time_is_in_the_time_zone() -> None:
    once = _cron("at(2024-07-01T12:00:00)", "Asia/Kolkata")
    assert _times(once, "2024-01-01T00:00", 2) == ["2024-07-01T06:30"]
    assert once.first(_moment("2025-01-01T00:00")) == _moment("2024-07-01T06:30")


def test_a_rate_goes_on_from_its_start_to_its_end() -> None:
    start, end = _moment("2024-01-01T00:00"), _moment("2024-01-01T02:00")
    rate = Timing("rate(1 hour)", "UTC", start, end, 0.0)
    assert rate.first(_moment("2023-06-01T00:00")) == start
    assert _times(rate, "2023-06-01T00:00", 9) == ["2024-01-01T00:00", "2024-01-01T01:00", "2024-01-01T02:00"]
    cron = Timing("cron(0 * * * ? *)", "UTC", start, end, 0.0)
    assert cron.first(_moment("2023-06-01T00:00")) == start
    assert _times(cron, "2023-06-01T00:00", 9) == _times(rate, "2023-06-01T00:00", 9)


def test_the_unit_of_a_rate_may_be_in_either_number() -> None:
    start = _moment("2024-01-01T00:00")
    for one, other in (("rate(5 minute)", "rate(5 minutes)"), ("rate(1 hours)", "rate(1 hour)")):
        first, second = (Timing(each, "UTC", start, None, 0.0) for each in (one, other))
        assert _times(first, "2023-06-01T00:00", 3) == _times(second, "2023-06-01T00:00", 3)


def test_after_the_last_year_nothing_is_due() -> None:
    end = _moment("9999-12-31T23:59:59")
    assert Timing("cron(0 0 * * ? *)", "UTC", end, None, 0.0).first(_NOW) is None
    assert _cron("cron(0 0 * * ? 2199)", "Pacific/Kiritimati").following(_moment("2199-12-31T23:00")) is None
    assert Timing("rate(1 day)", "UTC", end, None, 0.0).first(_NOW) == end


@pytest.mark.parametrize("unit", ["minute", "hour", "day"])
def test_a_rate_of_one_may_be_in_the_plural(unit: str) -> None:
    singular, plural = (Timing(f"rate(1 {unit}{more})", "UTC", None, None, 0.0) for more in ("", "s"))
    plural.check()
    assert plural.following(_NOW) == singular.following(_NOW)


@given(st.integers(0, 4_000_000_000), st.integers(1, 100), st.sampled_from(["minutes", "hours", "days"]))
@settings(max_examples=50)
def test_a_rate_is_due_at_whole_intervals_from_its_start(after: int, value: int, unit: str) -> None:
    seconds = value * {"minutes": 60, "hours": 3600, "days": 86_400}[unit]
    if value == 1:
        unit = unit[:-1]
    moment = Timing(f"rate({value} {unit})", "UTC", None, None, 1000.0).following(after)
    assert moment is not None
    assert moment > after
    assert (moment - 1000) % seconds == 0
    assert moment - after <= seconds or moment == 1000


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    st.sets(st.integers(0, 23), min_size=1, max_size=4),
    st.sampled_from(["2024-03-30", "2024-03-09", "2024-04-06", "2024-10-05", "2024-10-26", "2024-11-02"]),
)
@settings(max_examples=25)
def test_cron_is_due_once_at_each_time_that_the_clocks_of_a_zone_show(zone: str, hours: set[int], day: str) -> None:
    """Compared with a walk through all half hours of the two days around a change of the clocks somewhere."""
    begin = _moment(f"{day}T00:00")
    expected: dict[str, float] = {}
    for step in range(2 * 48):
        moment = begin + step * 1800
        shown = datetime.datetime.fromtimestamp(moment, ZoneInfo(zone)).replace(tzinfo=None)
        if shown.minute == 30 and shown.hour in hours:
            expected.setdefault(shown.isoformat(), moment)
    timing = _cron(f"cron(30 {','.join(map(str, sorted(hours)))} * * ? *)", zone)
    found = []
    last: float | None = begin - 1
    while (last := timing.following(last)) is not None and last < begin + 2 * 86_400:
        found.append(last)
    assert found == sorted(expected.values())


class Local:
    """Scheduler within the test, with a clock that the test moves, and a queue."""

    def __init__(self, sns: LocalSns) -> None:
        self.sns = sns
        self.queue = self.call("CreateQueue", service="sqs", QueueName="q")["QueueUrl"]
        self.arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"

    def call(self, operation: str, *, service: str = "scheduler", **params: Any) -> Any:
        return self.sns.call(operation, service=service, **params)

    def schedule(self, expression: str, *, operation: str = "CreateSchedule", **more: Any) -> None:
        target = {
            "Arn": self.arn,
            "RoleArn": "arn:aws:iam::111111111111:role/r",
            "Input": "<aws.scheduler.scheduled-time>",
            **more.pop("Target", {}),
        }
        given = {"Name": "s", "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, **more}
        self.call(operation, Target=target, **given)

    def times(self, count: int) -> list[str]:
        """Return for when the invocations were scheduled, of which so many have to come, and no more."""
        found: list[str] = []

        def enough() -> bool:
            found.extend(self.received())
            return len(found) >= count

        self.sns.until(enough)
        assert len(found) == count
        return sorted(found)

    def received(self) -> list[str]:
        """Return the bodies of the messages that are there now."""
        found: list[str] = []
        while messages := self._receive():
            found += messages
        return found

    def _receive(self) -> list[str]:
        answer = self.call("ReceiveMessage", service="sqs", QueueUrl=self.queue, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self.call("DeleteMessage", service="sqs", QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in answer.get("Messages", [])]

    def names(self) -> list[str]:
        return [each["Name"] for each in self.call("ListSchedules")["Schedules"]]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with local_sns(tmp_path) as sns:
        yield Local(sns)


def test_a_rate_runs_at_once_and_then_by_the_clock(local: Local) -> None:
    local.schedule("rate(1 hour)")
    assert local.times(1) == ["2023-11-14T22:13:20Z"]
    local.sns.advance(3599)
    local.times(0)
    local.sns.advance(1)
    assert local.times(1) == ["2023-11-14T23:13:20Z"]


def test_what_was_missed_happens_once_and_then_it_goes_on_as_before(local: Local) -> None:
    local.schedule("rate(1 hour)")
    local.times(1)
    local.sns.advance(5.5 * 3600)
    assert local.times(1) == ["2023-11-14T23:13:20Z"]
    local.sns.advance(0.5 * 3600)
    assert local.times(1) == ["2023-11-15T04:13:20Z"]


def test_a_schedule_runs_until_its_end_and_deletes_itself(local: Local) -> None:
    local.schedule("rate(1 hour)", EndDate=_NOW + 4000, ActionAfterCompletion="DELETE")
    local.times(1)
    assert local.names() == ["s"]
    local.sns.advance(3600)
    local.times(1)
    assert local.names() == []
    local.sns.advance(36_000)
    local.times(0)


def test_a_schedule_of_one_time_stays_unless_it_deletes_itself(local: Local) -> None:
    local.schedule("at(2023-11-14T23:00:00)", Name="stays")
    local.schedule("at(2023-11-14T23:00:00)", Name="goes", ActionAfterCompletion="DELETE")
    local.sns.advance(3600)
    assert local.times(2) == ["2023-11-14T23:00:00Z"] * 2
    assert local.names() == ["stays"]


def test_a_schedule_runs_within_its_window(local: Local) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}
    for number in range(20):
        local.schedule("at(2023-11-14T23:00:00)", Name=f"s{number}", FlexibleTimeWindow=window)
    local.sns.advance(_moment("2023-11-14T22:59:59") - _NOW)
    local.times(0)
    came = []
    for _ in range(10):
        local.sns.advance(60)
        came.append(len(local.received()))
    local.sns.advance(1)
    assert sum(came) + len(local.times(20 - sum(came))) == 20
    assert max(came) < 20


@pytest.fixture
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have schedules run as late in their windows as they may."""
    monkeypatch.setattr(scheduling, "random_below", lambda limit: limit - 1)


@pytest.mark.usefixtures("at_the_end")
def test_a_window_that_is_longer_than_the_rate_leaves_no_run_out(local: Local) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    local.schedule("rate(1 minute)", FlexibleTimeWindow=window)
    for _ in range(20):
        local.sns.advance(60)
    due = [_NOW + 60 * number for number in range(20)]
    told = [datetime.datetime.fromtimestamp(each, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for each in due]
    assert local.times(20) == told


@pytest.mark.usefixtures("at_the_end")
def test_what_fell_due_while_nothing_ran_comes_once_but_for_what_its_window_still_admits(local: Local) -> None:
    local.schedule("rate(1 minute)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 2})
    local.sns.advance(3600)
    # The first of all, whose turn it was, and one of the two of the last minutes: the other one has time.
    local.times(2)
    local.sns.advance(60)
    local.times(1)


def test_a_schedule_that_is_disabled_or_deleted_does_not_run(local: Local) -> None:
    local.schedule("rate(1 hour)")
    local.times(1)
    local.schedule("rate(1 hour)", operation="UpdateSchedule", State="DISABLED")
    local.sns.advance(2.5 * 3600)
    local.times(0)
    local.schedule("rate(1 hour)", operation="UpdateSchedule")
    local.sns.advance(0.5 * 3600)
    assert local.times(1) == ["2023-11-15T01:13:20Z"]
    local.call("DeleteSchedule", Name="s")
    local.sns.advance(36_000)
    local.times(0)


def test_a_schedule_that_is_updated_runs_by_its_new_expression_only(local: Local) -> None:
    local.schedule("at(2023-11-14T23:00:00)")
    local.schedule("at(2023-11-14T23:30:00)", operation="UpdateSchedule")
    local.sns.advance(3600)
    local.times(0)
    local.sns.advance(3600)
    assert local.times(1) == ["2023-11-14T23:30:00Z"]


class _Down:
    """SQS that takes nothing for some queues until the test says otherwise."""

    def __init__(self, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
        self.down = True
        self.tries = 0
        self._call = local.sns.cloud.call
        monkeypatch.setattr(local.sns.cloud, "call", self._called)

    async def _called(self, service: str, operation: str, params: dict[str, Any], **more: Any) -> Any:
        if self.down and operation == "SendMessage" and params["QueueUrl"].endswith("/q"):
            self.tries += 1
            raise unavailable()
        return await self._call(service, operation, params, **more)


def test_an_invocation_that_fails_is_tried_again_by_the_clock(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = _Down(local, monkeypatch)
    local.schedule("at(2023-11-14T22:00:00)", Target={"Input": "<aws.scheduler.attempt-number>"})
    local.sns.until(lambda: sqs.tries == 1)
    for tries, pause in ((2, 1), (3, 2)):
        local.sns.advance(pause - 0.01)
        assert sqs.tries == tries - 1
        local.sns.advance(0.02)
        local.sns.until(lambda tries=tries: sqs.tries == tries)  # type: ignore[misc]
    sqs.down = False
    local.sns.advance(10)
    assert local.times(1) == ["4"]


def test_invocations_that_take_long_hold_up_no_others(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = asyncio.Event()
    call = local.sns.cloud.call

    async def hanging(service: str, operation: str, params: dict[str, Any], **more: Any) -> Any:
        if params.get("MessageBody") == "slow":
            await answer.wait()
        return await call(service, operation, params, **more)

    monkeypatch.setattr(local.sns.cloud, "call", hanging)
    for number in range(100):
        local.schedule("at(2023-11-14T22:00:00)", Name=f"slow-{number}", Target={"Input": "slow"})
    local.schedule("at(2023-11-14T22:00:00)", Name="quick", Target={"Input": "quick"})
    assert local.times(1) == ["quick"]
    answer.set()
    assert local.times(100) == ["slow"] * 100


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
    letters_to = {"Arn": local.arn.replace(":q", ":dead")}
    local.schedule("at(2023-11-14T22:00:00)", Target={"RetryPolicy": policy, "DeadLetterConfig": letters_to})
    for tries in range(1, int(attempts) + 2):
        local.sns.until(lambda tries=tries: sqs.tries >= tries)  # type: ignore[misc]
        local.sns.advance(2.0 ** (tries - 1))
    letters: list[Any] = []

    def received() -> bool:
        answer = local.call("ReceiveMessage", service="sqs", QueueUrl=dead, MessageAttributeNames=["All"])
        letters.extend(answer.get("Messages", []))
        return bool(letters)

    local.sns.until(received)
    told = {name: value["StringValue"] for name, value in letters[0]["MessageAttributes"].items()}
    assert (told["EXHAUSTED_RETRY_CONDITION"], told["RETRY_ATTEMPTS"]) == (condition, attempts)
