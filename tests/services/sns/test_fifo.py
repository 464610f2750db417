"""FIFO topics: order within and across message groups, deduplication, and what fails on the way."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import Transaction
from cloudlet.services.sns import fifo
from cloudlet.services.sns import topic as topics
from tests.refused import refused
from tests.services.sns.cloud import ACCOUNT, REGION, LocalSns, local_sns
from tests.services.sns.fanout import Fanout


@pytest.fixture
def topic(fanout: Fanout) -> str:
    return fanout.topic("orders.fifo")


def _publish(fanout: Fanout, topic: str, text: str, **params: str) -> dict[str, Any]:
    params.setdefault("MessageGroupId", "g")
    params.setdefault("MessageDeduplicationId", text)
    return dict(fanout.sns.publish(TopicArn=topic, Message=text, **params))


def _subscribed_queue(fanout: Fanout, topic: str, name: str, **attributes: str) -> str:
    return fanout.subscribed_queue(topic, name, RawMessageDelivery="true", **attributes)


def test_messages_come_in_the_order_of_their_publishing(fanout: Fanout, topic: str) -> None:
    queues = [_subscribed_queue(fanout, topic, f"q{number}.fifo") for number in range(3)]
    texts = [f"m{number:03}" for number in range(60)]
    sequences = [int(_publish(fanout, topic, text)["SequenceNumber"]) for text in texts]
    assert sequences == sorted(set(sequences))
    for queue in queues:
        messages = fanout.messages(queue, len(texts))
        assert [message["Body"] for message in messages] == texts
        assert {message["Attributes"]["MessageGroupId"] for message in messages} == {"g"}
        assert [message["Attributes"]["MessageDeduplicationId"] for message in messages] == texts


def test_an_envelope_has_the_sequence_number(fanout: Fanout, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "q.fifo")
    published = _publish(fanout, topic, "m")
    [envelope] = fanout.envelopes(queue, 1)
    assert envelope["MessageId"] == published["MessageId"]
    assert envelope["SequenceNumber"] == published["SequenceNumber"]


def test_publishers_side_by_side_get_an_order_that_all_queues_share(fanout: Fanout, topic: str) -> None:
    queues = [_subscribed_queue(fanout, topic, f"q{number}.fifo") for number in range(2)]

    def publish(name: str) -> list[tuple[int, str]]:
        texts = [f"{name}{number}" for number in range(25)]
        return [(int(_publish(fanout, topic, text, MessageGroupId=name)["SequenceNumber"]), text) for text in texts]

    with ThreadPoolExecutor(4) as pool:
        published = sorted(chain.from_iterable(pool.map(publish, "abcd")))
    for queue in queues:
        bodies = fanout.bodies(queue, len(published))
        for group in "abcd":
            expected = [text for _, text in published if text[0] == group]
            assert [body for body in bodies if body[0] == group] == expected


def test_a_batch_keeps_its_order(fanout: Fanout, topic: str) -> None:
    queue = _subscribed_queue(fanout, topic, "q.fifo")
    entries = [
        {"Id": str(number), "Message": f"m{number}", "MessageGroupId": "g", "MessageDeduplicationId": str(number)}
        for number in range(10)
    ]
    answer = fanout.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    sequences = [int(entry["SequenceNumber"]) for entry in answer["Successful"]]
    assert sequences == sorted(set(sequences))
    assert fanout.bodies(queue, 10) == [f"m{number}" for number in range(10)]


def test_a_repeated_message_is_not_delivered_again(fanout: Fanout, topic: str) -> None:
    queue = _subscribed_queue(fanout, topic, "q.fifo")
    first = _publish(fanout, topic, "first", MessageDeduplicationId="same")
    again = _publish(fanout, topic, "again", MessageDeduplicationId="same")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    _publish(fanout, topic, "other")
    assert fanout.bodies(queue, 2) == ["first", "other"]
    assert fanout.is_empty(queue)


def test_deduplication_may_be_by_content(fanout: Fanout) -> None:
    topic = fanout.topic("content.fifo", ContentBasedDeduplication="true")
    queue = _subscribed_queue(fanout, topic, "q.fifo")
    for text in ("a", "a", "b"):
        fanout.sns.publish(TopicArn=topic, Message=text, MessageGroupId="g")
    assert fanout.bodies(queue, 2) == ["a", "b"]
    assert fanout.is_empty(queue)


@pytest.mark.parametrize(("scope", "delivered"), [("Topic", ["a"]), ("MessageGroup", ["a", "b"])])
def test_deduplication_may_be_within_message_groups(fanout: Fanout, scope: str, delivered: list[str]) -> None:
    topic = fanout.topic("scope.fifo", FifoThroughputScope=scope)
    queue = fanout.queue("q.fifo", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    fanout.subscribe(topic, queue, RawMessageDelivery="true")
    _publish(fanout, topic, "a", MessageGroupId="a", MessageDeduplicationId="same")
    _publish(fanout, topic, "b", MessageGroupId="b", MessageDeduplicationId="same")
    _publish(fanout, topic, "end", MessageGroupId="b")
    assert fanout.bodies(queue, len(delivered) + 1) == [*delivered, "end"]


def test_a_fifo_topic_delivers_to_standard_queues_too(fanout: Fanout, topic: str) -> None:
    queue = _subscribed_queue(fanout, topic, "standard")
    for text in ("a", "b"):
        _publish(fanout, topic, text)
    messages = fanout.messages(queue, 2)
    assert sorted(message["Body"] for message in messages) == ["a", "b"]
    assert not any("MessageGroupId" in message["Attributes"] for message in messages)


def test_filters_leave_the_order_as_it_is(fanout: Fanout, topic: str) -> None:
    queue = _subscribed_queue(
        fanout, topic, "q.fifo", FilterPolicy='{"n": [{"numeric": ["<", 5]}]}', FilterPolicyScope="MessageBody"
    )
    for number in (1, 9, 2, 8, 3, 7, 4):
        _publish(fanout, topic, f'{{"n": {number}}}', MessageDeduplicationId=str(number))
    assert fanout.bodies(queue, 4) == [f'{{"n": {number}}}' for number in (1, 2, 3, 4)]
    assert fanout.is_empty(queue)


def test_what_was_published_before_is_not_delivered(fanout: Fanout, topic: str) -> None:
    early = _subscribed_queue(fanout, topic, "early.fifo")
    _publish(fanout, topic, "before")
    late = _subscribed_queue(fanout, topic, "late.fifo")
    _publish(fanout, topic, "after")
    assert fanout.bodies(early, 2) == ["before", "after"]
    assert fanout.bodies(late, 1) == ["after"]
    assert fanout.is_empty(late)


def test_what_a_queue_refuses_is_a_dead_letter_and_holds_up_nothing(fanout: Fanout, topic: str) -> None:
    dead = fanout.queue("dead.fifo")
    small = fanout.queue("small.fifo", MaximumMessageSize="1024")
    redrive = json.dumps({"deadLetterTargetArn": fanout.arn(dead)})
    fanout.subscribe(topic, small, RawMessageDelivery="true", RedrivePolicy=redrive)
    _publish(fanout, topic, "a")
    _publish(fanout, topic, "l" * 1025, MessageDeduplicationId="large")
    _publish(fanout, topic, "b")
    assert fanout.bodies(small, 2) == ["a", "b"]
    assert fanout.bodies(dead, 1) == ["l" * 1025]


def test_the_other_queues_get_what_one_that_is_gone_does_not(fanout: Fanout, topic: str) -> None:
    gone = fanout.queue("gone.fifo")
    fanout.subscribe(topic, gone)
    fanout.sqs.delete_queue(QueueUrl=gone)
    queue = _subscribed_queue(fanout, topic, "q.fifo")
    for text in ("a", "b"):
        _publish(fanout, topic, text)
    assert fanout.bodies(queue, 2) == ["a", "b"]


@pytest.mark.parametrize(
    "params",
    [
        {"MessageDeduplicationId": "d"},
        {"MessageGroupId": "g"},
        {"MessageGroupId": "g" * 129, "MessageDeduplicationId": "d"},
        {"MessageGroupId": "g g", "MessageDeduplicationId": "d"},
        {"MessageGroupId": "g", "MessageDeduplicationId": "d" * 129},
        {"MessageGroupId": "g", "MessageDeduplicationId": "é"},
    ],
)
def test_a_message_must_say_where_it_belongs(fanout: Fanout, topic: str, params: dict[str, str]) -> None:
    assert refused(fanout.sns.publish, TopicArn=topic, Message="m", **params)[0] == "InvalidParameter"


@pytest.mark.parametrize("left_out", ["MessageGroupId", "MessageDeduplicationId"])
def test_a_batch_is_refused_as_a_whole_for_an_entry_without_its_ids(fanout: Fanout, topic: str, left_out: str) -> None:
    good = {"Id": "good", "Message": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    bad = {name: value for name, value in {**good, "Id": "bad"}.items() if name != left_out}
    queue = _subscribed_queue(fanout, topic, "q.fifo")
    entries = [good, bad]
    assert (
        refused(fanout.sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries)[0] == "InvalidParameter"
    )
    _publish(fanout, topic, "end")
    assert fanout.bodies(queue, 1) == ["end"]


# -- time


@pytest.fixture
def local(tmp_path: Path) -> Any:
    with local_sns(tmp_path) as sns:
        yield sns


def _local_topic(sns: LocalSns, **attributes: str) -> tuple[str, str]:
    """Create a FIFO topic and a queue that is subscribed to it; return its ARN and the queue's URL."""
    created = sns.call("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true", **attributes})
    queue = sns.call("CreateQueue", service="sqs", QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    sns.call(
        "Subscribe",
        TopicArn=created["TopicArn"],
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q.fifo",
        Attributes={"RawMessageDelivery": "true"},
    )
    return str(created["TopicArn"]), str(queue["QueueUrl"])


def _is_log_empty(sns: LocalSns, arn: str) -> bool:
    return bool(sns.transact(lambda tx: _has_empty_log(tx, arn)))


async def _has_empty_log(tx: Transaction, arn: str) -> bool:
    return await fifo.is_empty(tx, await topics.get(tx, arn))


def test_after_five_minutes_a_message_may_be_published_again(local: LocalSns) -> None:
    topic, _ = _local_topic(local)
    message = {"TopicArn": topic, "Message": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    first = local.call("Publish", **message)
    local.advance(299)
    assert local.call("Publish", **message)["MessageId"] == first["MessageId"]
    local.advance(1)
    second = local.call("Publish", **message)
    assert second["MessageId"] != first["MessageId"]
    assert int(second["SequenceNumber"]) > int(first["SequenceNumber"])


def test_the_log_of_a_topic_without_an_archive_holds_only_what_is_not_yet_delivered(local: LocalSns) -> None:
    topic, _ = _local_topic(local)
    for number in range(30):
        local.call("Publish", TopicArn=topic, Message="m", MessageGroupId="g", MessageDeduplicationId=str(number))
    local.until(lambda: _is_log_empty(local, topic))
