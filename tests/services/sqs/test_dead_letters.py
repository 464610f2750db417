"""Dead-letter queues and what is moved out of them again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cloudlet.core import AwsError
from tests.services.sqs.conftest import ACCOUNT, REGION, Sqs


def _policy(target: str, receives: Any = 2) -> str:
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": receives})


def _pair(sqs: Sqs, suffix: str = "", receives: int = 2, **attributes: Any) -> tuple[str, str]:
    """Create a queue and its dead-letter queue; return their URLs."""
    dead = sqs.queue(f"dead{suffix}")
    source = sqs.queue(f"source{suffix}", RedrivePolicy=_policy(sqs.arn(dead), receives), **attributes)
    return source, dead


def _fail(sqs: Sqs, url: str, times: int) -> None:
    for _ in range(times):
        assert sqs.receive(url, VisibilityTimeout=0)


def test_a_message_received_too_often_goes_to_the_dead_letter_queue(sqs: Sqs) -> None:
    source, dead = _pair(sqs)
    sent = sqs.send(source, "poison")
    sqs.advance(1)
    _fail(sqs, source, 2)
    assert sqs.receive(source) == []
    assert sqs.counts(source) == (0, 0, 0)
    [message] = sqs.receive(dead)
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == sqs.arn(source)
    assert message["Attributes"]["ApproximateReceiveCount"] == "3"
    assert message["Attributes"]["SentTimestamp"] == str(int((sqs.clock.time - 1) * 1000))


def test_the_next_message_is_received_in_its_place(sqs: Sqs) -> None:
    source, dead = _pair(sqs, receives=1)
    sqs.send(source, "poison")
    _fail(sqs, source, 1)
    sqs.send(source, "good")
    assert sqs.bodies(source, 1) == ["good"]
    assert sqs.bodies(dead) == ["poison"]


def test_who_waits_on_either_queue_sees_the_move(sqs: Sqs) -> None:
    source, dead = _pair(sqs, receives=1)
    sqs.send(source, "poison")
    _fail(sqs, source, 1)

    async def poll() -> None:
        on_dead = asyncio.create_task(sqs.calling("ReceiveMessage", QueueUrl=dead, WaitTimeSeconds=20))
        await sqs.settle()
        on_source = asyncio.create_task(sqs.calling("ReceiveMessage", QueueUrl=source, WaitTimeSeconds=20))
        await sqs.settle()
        assert on_dead.result()["Messages"][0]["Body"] == "poison"
        assert not on_source.done()
        await sqs.calling("SendMessage", QueueUrl=source, MessageBody="good")
        await sqs.settle()
        assert on_source.result()["Messages"][0]["Body"] == "good"

    sqs.run(poll())


def test_retention_in_a_standard_dead_letter_queue_counts_from_the_first_sending(sqs: Sqs) -> None:
    source, dead = _pair(sqs)
    sqs.call("SetQueueAttributes", QueueUrl=dead, Attributes={"MessageRetentionPeriod": "100"})
    sqs.send(source)
    sqs.advance(60)
    _fail(sqs, source, 2)
    assert sqs.receive(source) == []
    assert sqs.counts(dead) == (1, 0, 0)
    sqs.advance(40)
    assert sqs.counts(dead) == (0, 0, 0)


def test_retention_in_a_fifo_dead_letter_queue_starts_anew(sqs: Sqs) -> None:
    source, dead = _pair(sqs, ".fifo")
    sqs.call("SetQueueAttributes", QueueUrl=dead, Attributes={"MessageRetentionPeriod": "100"})
    sent = sqs.send(source, MessageGroupId="g")
    sqs.advance(60)
    _fail(sqs, source, 2)
    assert sqs.receive(source) == []
    sqs.advance(99)
    [message] = sqs.receive(dead)
    assert message["Attributes"]["MessageGroupId"] == "g"
    assert message["Attributes"]["MessageDeduplicationId"] == sent["MessageId"]


def test_a_fifo_group_goes_on_behind_a_dead_letter(sqs: Sqs) -> None:
    source, dead = _pair(sqs, ".fifo", receives=1)
    for body in ("poison", "good"):
        sqs.send(source, body, MessageGroupId="g")
    assert sqs.bodies(source, 1, VisibilityTimeout=0) == ["poison"]
    assert sqs.bodies(source, 1) == ["good"]
    assert sqs.bodies(dead) == ["poison"]


def test_a_message_stays_where_its_dead_letter_queue_is_gone(sqs: Sqs) -> None:
    source, dead = _pair(sqs, receives=1)
    sqs.call("DeleteQueue", QueueUrl=dead)
    sqs.send(source)
    _fail(sqs, source, 3)
    assert sqs.counts(source) == (1, 0, 0)


def test_sources_of_a_dead_letter_queue_are_listed_in_pages(sqs: Sqs) -> None:
    dead = sqs.queue("dead")
    urls = [sqs.queue(f"source{at}", RedrivePolicy=_policy(sqs.arn(dead))) for at in range(5)]
    assert sqs.call("ListDeadLetterSourceQueues", QueueUrl=dead)["queueUrls"] == urls
    page = sqs.call("ListDeadLetterSourceQueues", QueueUrl=dead, MaxResults=3)
    assert page["queueUrls"] == urls[:3]
    page = sqs.call("ListDeadLetterSourceQueues", QueueUrl=dead, MaxResults=3, NextToken=page["NextToken"])
    assert (page["queueUrls"], page["NextToken"]) == (urls[3:], None)
    sqs.call("SetQueueAttributes", QueueUrl=urls[0], Attributes={"RedrivePolicy": ""})
    sqs.call("DeleteQueue", QueueUrl=urls[1])
    assert sqs.call("ListDeadLetterSourceQueues", QueueUrl=dead)["queueUrls"] == urls[2:]


_DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("[]", "Redrive policy is not a valid JSON map."),
        ("{", "Redrive policy is not a valid JSON map."),
        (
            json.dumps({"maxReceiveCount": 3}),
            "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
        ),
        (
            json.dumps({"deadLetterTargetArn": _DEAD}),
            "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        ),
        (
            json.dumps({"deadLetterTargetArn": _DEAD, "maxReceiveCount": 3, "more": 1}),
            "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
        ),
        (
            _policy(_DEAD, 0),
            "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            _policy(_DEAD, "many"),
            "Invalid value for maxReceiveCount: many, valid values are from 1 to 1000 both inclusive.",
        ),
        (_policy(_DEAD + "-letters"), "Dead letter target does not exist."),
        (_policy("dead"), "Dead letter target does not exist."),
        (_policy(_DEAD + ".fifo"), "Dead-letter queue must be same type of queue as the source."),
    ],
)
def test_redrive_policies_that_are_refused(sqs: Sqs, policy: str, reason: str) -> None:
    sqs.queue("dead")
    sqs.queue("dead.fifo")
    url = sqs.queue()
    with pytest.raises(AwsError) as caught:
        sqs.call("SetQueueAttributes", QueueUrl=url, Attributes={"RedrivePolicy": policy})
    assert caught.value.code == "InvalidParameterValue"
    assert caught.value.message == f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}"


def test_a_dead_letter_queue_chooses_its_sources(sqs: Sqs) -> None:
    dead, friend, stranger = sqs.queue("dead"), sqs.queue("friend"), sqs.queue("stranger")

    def allow(**policy: Any) -> None:
        sqs.call("SetQueueAttributes", QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(policy)})

    def use(url: str) -> None:
        sqs.call("SetQueueAttributes", QueueUrl=url, Attributes={"RedrivePolicy": _policy(sqs.arn(dead))})

    allow(redrivePermission="denyAll")
    with pytest.raises(AwsError, match="InvalidParameterValue"):
        use(friend)
    allow(redrivePermission="byQueue", sourceQueueArns=[sqs.arn(friend)])
    use(friend)
    with pytest.raises(AwsError, match="InvalidParameterValue"):
        use(stranger)
    allow(redrivePermission="allowAll")
    use(stranger)


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"redrivePermission": "some"},
        {"redrivePermission": "byQueue"},
        {"redrivePermission": "byQueue", "sourceQueueArns": []},
        {"redrivePermission": "byQueue", "sourceQueueArns": [_DEAD] * 11},
        {"redrivePermission": "byQueue", "sourceQueueArns": ["dead"]},
        {"redrivePermission": "byQueue", "sourceQueueArns": [_DEAD + "x" * 100_000]},
        {"redrivePermission": "allowAll", "sourceQueueArns": [_DEAD]},
        {"redrivePermission": "allowAll", "more": 1},
    ],
)
def test_redrive_allow_policies_that_are_refused(sqs: Sqs, policy: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match=r"InvalidParameterValue: .* for parameter RedriveAllowPolicy is invalid"):
        sqs.queue(RedriveAllowPolicy=json.dumps(policy))
