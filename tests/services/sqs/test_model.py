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
        self.old_handles: list[str] = []

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
        self.check_chosen([message["Body"] for message in received], [message.body for message in expected], count)
        by_body = {message.body: message for message in self.model.messages}
        for message in received:
            entry = by_body[message["Body"]]
            entry.receives += 1
            assert message["Attributes"]["ApproximateReceiveCount"] == str(entry.receives)
            if entry.handle:
                self.old_handles.append(entry.handle)
            entry.handle = message["ReceiptHandle"]
            entry.in_flight_until = now + visibility

    def choose(self, count: int, now: float) -> list[Expected]:
        """Return what a receive must find."""
        raise NotImplementedError

    def check_chosen(self, got: list[str], expected: list[str], count: int) -> None:
        assert got == expected

    @precondition(lambda self: any(message.handle for message in self.model.messages))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        held = [message for message in self.model.messages if message.handle]
        message = data.draw(st.sampled_from(held))
        if self.fifo and message.in_flight_until <= self.now:
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
        handle = data.draw(st.sampled_from(self.old_handles))
        # An error on FIFO queues where the message is still there; in any case nothing changes.
        with suppress(AwsError):
            self.sqs.call("DeleteMessage", QueueUrl=self.url, ReceiptHandle=handle)

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
            self.model.messages = self.model.alive(self.now)

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

    def check_chosen(self, got: list[str], expected: list[str], count: int) -> None:
        assert len(set(got)) == len(got) == min(count, len(expected))
        assert set(got) <= set(expected)


class Fifo(Queues):
    """A FIFO queue gives out the heads of groups of which nothing is in flight."""

    fifo = True

    def choose(self, count: int, now: float) -> list[Expected]:
        chosen: list[Expected] = []
        locked = {message.group for message in self.model.in_flight(now)}
        while len(chosen) < count:
            free = [message for message in self.model.visible(now) if message.group not in locked]
            if not free:
                break
            group = free[0].group
            chosen += [message for message in free if message.group == group][: count - len(chosen)]
            locked.add(group)
        return chosen


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
