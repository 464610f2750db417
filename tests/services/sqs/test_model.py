"""Random sequences of calls against a small model of what SQS promises, with a clock that jumps."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloudlet.core import AwsError
from tests.services.sqs.conftest import Sqs
from tests.sizes import examples

_VISIBILITY = 10
_RETENTION = 60
_MAX_RECEIVES = 3


@dataclass
class Expected:
    """A message as the model has it; times are in seconds."""

    body: str
    number: int
    sent: float
    group: str
    visible_at: float
    receives: int = 0
    handle: str = ""
    in_flight_until: float = 0.0
    handle_until: float = 0.0
    """When the visibility timeout ends that the handle was received with."""
    is_flying: bool = False
    """Whether it was received, and has not come back since."""


@dataclass
class Model:
    """What a queue must hold."""

    fifo: bool
    messages: list[Expected] = field(default_factory=list)
    buried: list[str] = field(default_factory=list)

    def alive(self, now: float) -> list[Expected]:
        return [message for message in self.messages if message.sent + _RETENTION > now]

    def in_flight(self, now: float) -> list[Expected]:
        return [message for message in self.alive(now) if message.in_flight_until > now]

    def visible(self, now: float) -> list[Expected]:
        return [message for message in self.alive(now) if message.in_flight_until <= now and message.visible_at <= now]

    def counts(self, now: float) -> tuple[int, int, int]:
        alive = len(self.alive(now))
        visible, in_flight = len(self.visible(now)), len(self.in_flight(now))
        return visible, in_flight, alive - visible - in_flight


class Queues(RuleBasedStateMachine):
    """All kinds of queue obey the model; the subclasses say how a receive chooses."""

    fifo = False
    grouped = True
    buries = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.sqs = Sqs(Path(self.folder.name))
        self.model = Model(self.fifo)
        self.number = 0
        self.old_handles: list[tuple[Expected, str]] = []
        self.turn: dict[str, int] = {}
        """Where the groups of a FIFO queue are whose first message has come back."""
        self.anywhere: set[str] = set()
        """Groups of which it is not known where they are.

        SQS promises an order within a group alone. Here a group goes behind the others when its first message comes
        back; where one of its messages expires in the same stretch of time, either may be noticed first.
        """

    @initialize()
    def create(self) -> None:
        attributes = {"VisibilityTimeout": _VISIBILITY, "MessageRetentionPeriod": _RETENTION}
        if self.buries:
            self.dead = self.sqs.queue("dead")
            target = {"deadLetterTargetArn": self.sqs.arn(self.dead), "maxReceiveCount": _MAX_RECEIVES}
            self.url = self.sqs.queue("q", RedrivePolicy=json.dumps(target), **attributes)
        else:
            self.url = self.sqs.queue("q.fifo" if self.fifo else "q", **attributes)

    @property
    def now(self) -> float:
        return self.sqs.clock.time

    @rule(group=st.sampled_from("abc"), delay=st.sampled_from([0, 0, 0, 5]))
    def send(self, group: str, delay: int) -> None:
        self.number += 1
        body = f"{group}{self.number}"
        if self.fifo:
            delay = 0
            self.sqs.send(self.url, body, MessageGroupId=group)
        elif group == "a" or not self.grouped:
            self.sqs.send(self.url, body, DelaySeconds=delay)
        else:
            self.sqs.send(self.url, body, DelaySeconds=delay, MessageGroupId=group)
        self.model.messages.append(Expected(body, self.number, self.now, group, self.now + delay))

    @rule(count=st.integers(1, 10), visibility=st.sampled_from([_VISIBILITY, _VISIBILITY, 0, 25]))
    def receive(self, count: int, visibility: int) -> None:
        now = self.now
        expected = self.choose(count, now)
        received = self.sqs.receive(self.url, count, VisibilityTimeout=visibility)
        self.check_chosen([message["Body"] for message in received], expected, count)
        by_body = {message.body: message for message in self.model.messages}
        for message in received:
            entry = by_body[message["Body"]]
            entry.receives += 1
            assert message["Attributes"]["ApproximateReceiveCount"] == str(entry.receives)
            if entry.handle:
                self.old_handles.append((entry, entry.handle))
            entry.handle = message["ReceiptHandle"]
            entry.in_flight_until = entry.handle_until = now + visibility
            entry.is_flying = True
            self.turn.pop(entry.group, None)
            self.anywhere.discard(entry.group)

    def choose(self, count: int, now: float) -> list[Expected]:
        """Return what a receive must find."""
        raise NotImplementedError

    def check_chosen(self, got: list[str], expected: list[Expected], count: int) -> None:
        assert got == [message.body for message in expected]

    @precondition(lambda self: any(message.handle for message in self.model.messages))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        held = [message for message in self.model.messages if message.handle]
        message = data.draw(st.sampled_from(held))
        if self.fifo and message.in_flight_until <= self.now and message.handle_until <= self.now:
            with pytest.raises(AwsError, match=r"The receipt handle has expired"):
                self.sqs.call("DeleteMessage", QueueUrl=self.url, ReceiptHandle=message.handle)
            return
        self.sqs.call("DeleteMessage", QueueUrl=self.url, ReceiptHandle=message.handle)
        self.model.messages.remove(message)

    @precondition(lambda self: self.model.in_flight(self.now))
    @rule(data=st.data(), seconds=st.sampled_from([0, 3, 30]))
    def change_visibility(self, data: st.DataObject, seconds: int) -> None:
        message = data.draw(st.sampled_from(self.model.in_flight(self.now)))
        self.sqs.call(
            "ChangeMessageVisibility", QueueUrl=self.url, ReceiptHandle=message.handle, VisibilityTimeout=seconds
        )
        message.in_flight_until = self.now + seconds

    @precondition(lambda self: self.old_handles)
    @rule(data=st.data())
    def delete_by_an_old_handle(self, data: st.DataObject) -> None:
        message, handle = data.draw(st.sampled_from(self.old_handles))
        # An error on FIFO queues where the message is still there, and then nothing changes.
        with suppress(AwsError):
            self.sqs.call("DeleteMessage", QueueUrl=self.url, ReceiptHandle=handle)
            if message in self.model.messages:
                self.model.messages.remove(message)

    @precondition(lambda self: self.old_handles)
    @rule(data=st.data(), seconds=st.sampled_from([0, 3, 30]))
    def change_visibility_by_an_old_handle(self, data: st.DataObject, seconds: int) -> None:
        message, handle = data.draw(st.sampled_from(self.old_handles))
        with suppress(AwsError):
            self.sqs.call("ChangeMessageVisibility", QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=seconds)
            message.in_flight_until = self.now + seconds
            message.is_flying = True

    @rule(seconds=st.sampled_from([1, 4, 5, 10, 26]))
    def advance(self, seconds: float) -> None:
        self.sqs.advance(seconds)

    @rule()
    def restart(self) -> None:
        self.sqs.restart()

    @invariant()
    def counters_are_exact(self) -> None:
        if hasattr(self, "url"):
            assert self.sqs.counts(self.url) == self.model.counts(self.now)
            alive = self.model.alive(self.now)
            shrunk = {message.group for message in self.model.messages if message not in alive}
            self.model.messages = alive
            self.note_returns(shrunk)

    def note_returns(self, shrunk: set[str]) -> None:
        """Put groups at the end whose first visible message has come back since this was last called.

        Messages of groups that have shrunk have expired meanwhile.
        """
        self.number += 1
        self.anywhere |= shrunk
        for message in self.model.visible(self.now):
            if message.is_flying:
                message.is_flying = False
                if message is self.first_of(message.group):
                    self.turn[message.group] = self.number
                    if message.group not in shrunk:
                        self.anywhere.discard(message.group)
        for group in {*self.turn, *self.anywhere}:
            first = self.first_of(group)
            if first is None or not first.receives:
                self.turn.pop(group, None)
                self.anywhere.discard(group)

    def first_of(self, group: str) -> Expected | None:
        return next((message for message in self.model.visible(self.now) if message.group == group), None)

    def teardown(self) -> None:
        if hasattr(self, "dead"):
            assert self.sqs.counts(self.dead) == (len(self.model.buried), 0, 0)
        self.sqs.close()
        self.folder.cleanup()


class Standard(Queues):
    """A standard queue that serves the oldest first, and gives up what was received too often."""

    grouped = False
    buries = True

    def choose(self, count: int, now: float) -> list[Expected]:
        chosen: list[Expected] = []
        for message in self.model.visible(now):
            if len(chosen) == count:
                break
            if message.receives >= _MAX_RECEIVES:
                self.model.messages.remove(message)
                self.model.buried.append(message.body)
            else:
                chosen.append(message)
        return chosen


class Fair(Queues):
    """A standard queue with tenants: the order depends on them, but nothing is held back or given twice."""

    def choose(self, count: int, now: float) -> list[Expected]:
        return self.model.visible(now)

    def check_chosen(self, got: list[str], expected: list[Expected], count: int) -> None:
        assert len(set(got)) == len(got) == min(count, len(expected))
        assert set(got) <= {message.body for message in expected}


class Fifo(Queues):
    """A FIFO queue gives out what precedes all messages of its group in flight, groups that came back last."""

    fifo = True

    def choose(self, count: int, now: float) -> list[Expected]:
        return self.model.visible(now)

    def check_chosen(self, got: list[str], expected: list[Expected], count: int) -> None:
        waiting: dict[str, list[Expected]] = {}
        for message in expected:
            flying = [each.number for each in self.model.in_flight(self.now) if each.group == message.group]
            if message.number < min(flying, default=self.number + 1):
                waiting.setdefault(message.group, []).append(message)
        place = {group: self.turn.get(group, messages[0].number) for group, messages in waiting.items()}
        # Groups that came back at the same time are in any order.
        groups = list(dict.fromkeys(body[0] for body in got))
        known = [group for group in groups if group not in self.anywhere]
        ordered = sorted(at for group, at in place.items() if group not in self.anywhere)
        assert [place[group] for group in known] == ordered[: len(known)]
        assert got == [message.body for group in groups for message in waiting[group]][:count]
        assert len(got) == min(count, sum(map(len, waiting.values())))


_SETTINGS = settings(
    max_examples=examples(15),
    stateful_step_count=40,
)
TestStandard = Standard.TestCase
TestStandard.settings = _SETTINGS
TestFair = Fair.TestCase
TestFair.settings = _SETTINGS
TestFifo = Fifo.TestCase
TestFifo.settings = _SETTINGS
