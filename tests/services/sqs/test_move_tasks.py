"""Message move tasks: out of a dead-letter queue, back to where messages came from or elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.services.sqs import jobs
from tests.services.sqs.conftest import Sqs


@pytest.fixture
def by_clock_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have jobs rest by the cloud's clock alone, which the test moves, however long the test takes."""

    async def rest(block: Block, seconds: float) -> None:
        await sleep_until(block, block.clock.now() + seconds)

    monkeypatch.setattr(jobs, "back_off", rest)


def _dead_letters(sqs: Sqs, count: int, name: str = "source", dead: str | None = None) -> tuple[str, str]:
    """Return the URLs of a queue and of its dead-letter queue, with messages in the latter."""
    dead = dead or sqs.queue("dead")
    policy = json.dumps({"deadLetterTargetArn": sqs.arn(dead), "maxReceiveCount": 1})
    source = sqs.queue(name, RedrivePolicy=policy)
    for number in range(count):
        sqs.send(source, f"{name} {number}")
    while sqs.receive(source, VisibilityTimeout=0):
        pass
    return source, dead


def _tasks(sqs: Sqs, dead: str, count: int = 10) -> list[dict[str, Any]]:
    found = sqs.call("ListMessageMoveTasks", SourceArn=sqs.arn(dead), MaxResults=count)["Results"]
    return [{name: value for name, value in task.items() if value is not None} for task in found]


def _start(sqs: Sqs, dead: str, **params: Any) -> str:
    handle = sqs.call("StartMessageMoveTask", SourceArn=sqs.arn(dead), **params)["TaskHandle"]
    sqs.advance(0)
    return str(handle)


def test_messages_go_back_to_the_queues_they_came_from(sqs: Sqs) -> None:
    first, dead = _dead_letters(sqs, 60, "first")
    second, _ = _dead_letters(sqs, 3, "second", dead)
    assert sqs.counts(dead) == (63, 0, 0)
    _start(sqs, dead)
    assert sqs.counts(dead) == (0, 0, 0)
    assert sqs.counts(first) == (60, 0, 0)
    assert sorted(sqs.bodies(second)) == ["second 0", "second 1", "second 2"]
    [task] = _tasks(sqs, dead)
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": sqs.arn(dead),
        "ApproximateNumberOfMessagesMoved": 63,
        "ApproximateNumberOfMessagesToMove": 63,
        "StartedTimestamp": int(sqs.clock.time * 1000),
    }


def test_messages_can_go_elsewhere_as_new_ones(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 1)
    sqs.advance(1000)
    other = sqs.queue("other")
    _start(sqs, dead, DestinationArn=sqs.arn(other))
    [message] = sqs.receive(other)
    assert message["Body"] == "source 0"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["SentTimestamp"] == str(int(sqs.clock.time * 1000))
    assert "DeadLetterQueueSourceArn" not in message["Attributes"]
    assert sqs.counts(source) == (0, 0, 0)


@pytest.mark.usefixtures("by_clock_alone")
def test_the_rate_is_kept(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 10)
    handle = _start(sqs, dead, MaxNumberOfMessagesPerSecond=2)
    for _ in range(4):
        sqs.advance(0.5)
    assert sqs.counts(source) == (5, 0, 0)
    [task] = _tasks(sqs, dead)
    assert task["Status"] == "RUNNING"
    assert task["TaskHandle"] == handle
    assert task["ApproximateNumberOfMessagesMoved"] == 5


@pytest.mark.usefixtures("by_clock_alone")
def test_a_task_can_be_cancelled(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 10)
    handle = _start(sqs, dead, MaxNumberOfMessagesPerSecond=1)
    sqs.advance(1)
    assert sqs.call("CancelMessageMoveTask", TaskHandle=handle) == {"ApproximateNumberOfMessagesMoved": 2}
    for _ in range(5):
        sqs.advance(1)
    assert sqs.counts(source) == (2, 0, 0)
    assert [task["Status"] for task in _tasks(sqs, dead)] == ["CANCELLED"]
    with pytest.raises(AwsError, match="Only active tasks can be cancelled"):
        sqs.call("CancelMessageMoveTask", TaskHandle=handle)


@pytest.mark.usefixtures("by_clock_alone")
def test_a_task_carries_on_after_a_restart(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 6)
    _start(sqs, dead, MaxNumberOfMessagesPerSecond=1)
    sqs.advance(1)
    sqs.restart()
    for _ in range(10):
        sqs.advance(1)
    assert sqs.counts(source) == (6, 0, 0)
    assert [task["Status"] for task in _tasks(sqs, dead)] == ["COMPLETED"]


def test_a_task_waits_for_message_groups_in_flight(sqs: Sqs) -> None:
    dead, other = sqs.queue("dead.fifo"), sqs.queue("other.fifo")
    sqs.queue("q.fifo", RedrivePolicy=json.dumps({"deadLetterTargetArn": sqs.arn(dead), "maxReceiveCount": 1}))
    for body in ("a1", "a2", "b1", "b2"):
        sqs.send(dead, body, MessageGroupId=body[0])
    (held,) = sqs.receive(dead, 1)
    _start(sqs, dead, DestinationArn=sqs.arn(other))
    assert (sqs.counts(dead), sqs.counts(other)) == ((1, 1, 0), (2, 0, 0))
    assert [task["Status"] for task in _tasks(sqs, dead)] == ["RUNNING"]
    sqs.delete(dead, held)
    sqs.advance(1)
    assert (sqs.counts(dead), sqs.counts(other)) == ((0, 0, 0), (3, 0, 0))
    [task] = _tasks(sqs, dead)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 3)


def test_a_task_fails_where_a_message_came_from_nowhere(sqs: Sqs) -> None:
    _, dead = _dead_letters(sqs, 0)
    sqs.send(dead, "sent there directly")
    _start(sqs, dead)
    [task] = _tasks(sqs, dead)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert sqs.bodies(dead) == ["sent there directly"]


def test_only_the_latest_task_is_listed_unless_more_are_asked_for(sqs: Sqs) -> None:
    _, dead = _dead_letters(sqs, 1)
    for _ in range(12):
        _start(sqs, dead)
        sqs.advance(1)
    listed = sqs.call("ListMessageMoveTasks", SourceArn=sqs.arn(dead))["Results"]
    assert [task["StartedTimestamp"] for task in listed] == [int((sqs.clock.time - 1) * 1000)]
    assert len(_tasks(sqs, dead)) == 10


@pytest.mark.usefixtures("by_clock_alone")
def test_a_queue_deleted_meanwhile_ends_its_task(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 5)
    _start(sqs, dead, MaxNumberOfMessagesPerSecond=1)
    sqs.call("DeleteQueue", QueueUrl=dead)
    for _ in range(3):
        sqs.advance(1)
    assert sqs.counts(source) == (1, 0, 0)


def test_what_cannot_be_started(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 3)
    missing = sqs.arn(source) + "-not"
    fifo = sqs.arn(sqs.queue("other.fifo"))

    def refused(code: str, message: str, **params: Any) -> None:
        with pytest.raises(AwsError) as caught:
            sqs.call("StartMessageMoveTask", **{"SourceArn": sqs.arn(dead), **params})
        assert (caught.value.code, caught.value.message) == (code, message)

    refused(
        "ResourceNotFoundException",
        "The resource that you specified for the SourceArn parameter doesn't exist.",
        SourceArn=missing,
    )
    refused(
        "ResourceNotFoundException",
        "The resource that you specified for the DestinationArn parameter doesn't exist.",
        DestinationArn=missing,
    )
    refused(
        "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.", SourceArn=sqs.arn(source)
    )
    refused(
        "InvalidParameterValue",
        "You must use this format to specify the SourceArn: "
        "arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
        SourceArn="dead",
    )
    refused(
        "InvalidParameterValue",
        "Source queue and destination queue must be of the same type.",
        DestinationArn=fifo,
    )
    _start(sqs, dead, MaxNumberOfMessagesPerSecond=1)
    refused(
        "InvalidParameterValue",
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    )


@pytest.mark.usefixtures("by_clock_alone")
def test_a_task_runs_for_36_hours_at_most(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 5)
    _start(sqs, dead, MaxNumberOfMessagesPerSecond=1)
    sqs.advance(36 * 3600)
    [task] = _tasks(sqs, dead)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "TaskTimedOut")
    sqs.advance(10)
    assert (sqs.counts(source), sqs.counts(dead)) == ((1, 0, 0), (4, 0, 0))
    _start(sqs, dead)
    assert sqs.counts(dead) == (0, 0, 0)


def test_an_account_has_100_tasks_under_way_at_most(sqs: Sqs) -> None:
    deads = []
    for number in range(101):
        dead = sqs.queue(f"dead-{number}")
        policy = json.dumps({"deadLetterTargetArn": sqs.arn(dead), "maxReceiveCount": 1})
        sqs.queue(f"source-{number}", RedrivePolicy=policy)
        for _ in range(3):
            sqs.send(dead, "a letter")
        deads.append(dead)
    other = sqs.arn(sqs.queue("other"))
    handles = []
    for dead in deads[:100]:
        task = sqs.call(
            "StartMessageMoveTask", SourceArn=sqs.arn(dead), DestinationArn=other, MaxNumberOfMessagesPerSecond=1
        )
        handles.append(task["TaskHandle"])
    with pytest.raises(AwsError, match="The maximum number of active message move tasks is 100") as caught:
        sqs.call("StartMessageMoveTask", SourceArn=sqs.arn(deads[100]))
    assert caught.value.code == "OverLimit"
    sqs.call("CancelMessageMoveTask", TaskHandle=handles[0])
    sqs.call("StartMessageMoveTask", SourceArn=sqs.arn(deads[100]))


def test_a_task_goes_on_though_the_clock_was_set_back(sqs: Sqs) -> None:
    source, dead = _dead_letters(sqs, 3)
    _start(sqs, dead, MaxNumberOfMessagesPerSecond=10)
    sqs.advance(-86_400)
    sqs.until(lambda: sqs.counts(source)[0] == 3)
