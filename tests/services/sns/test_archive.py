"""Archives of FIFO topics, and their replay to a subscription."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import Transaction
from cloudlet.services.sns import fifo
from cloudlet.services.sns import topic as topics
from tests.refused import refused
from tests.services.sns.cloud import ACCOUNT, REGION, LocalSns, local_sns
from tests.services.sns.fanout import Fanout

_ARCHIVE = '{"MessageRetentionPeriod":"2"}'


@pytest.fixture
def topic(fanout: Fanout) -> str:
    return fanout.topic("orders.fifo", ArchivePolicy=_ARCHIVE)


def _publish(fanout: Fanout, topic: str, *texts: str) -> None:
    for text in texts:
        fanout.sns.publish(TopicArn=topic, Message=text, MessageGroupId="g", MessageDeduplicationId=text)


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _pause() -> float:
    """Return a moment behind which, and before which, messages are in different milliseconds."""
    time.sleep(0.005)
    moment = time.time()
    time.sleep(0.005)
    return moment


def _policy(start: float, end: float | None = None) -> str:
    policy = {"PointType": "Timestamp", "StartingPoint": _instant(start)}
    return json.dumps(policy if end is None else {**policy, "EndingPoint": _instant(end)})


def _replay(fanout: Fanout, subscription: str, policy: str) -> None:
    fanout.sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="ReplayPolicy", AttributeValue=policy
    )


def _status(fanout: Fanout, subscription: str) -> str | None:
    attributes = fanout.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    status: str | None = attributes.get("ReplayStatus")
    return status


def _beginning(fanout: Fanout, topic: str) -> float:
    """Return a moment from which on the topic's archive has everything."""
    attributes = fanout.sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    return datetime.fromisoformat(attributes["BeginningArchiveTime"]).timestamp()


def test_a_replay_delivers_the_archive_again_in_its_order(fanout: Fanout, topic: str) -> None:
    queue = fanout.queue("q.fifo")
    subscription = fanout.subscribe(topic, queue)
    texts = [f"m{number:02}" for number in range(50)]
    _publish(fanout, topic, *texts)
    first = fanout.envelopes(queue, 50)
    _replay(fanout, subscription, _policy(_beginning(fanout, topic)))
    again = fanout.envelopes(queue, 50)
    assert [envelope["Message"] for envelope in again] == texts
    assert [envelope["MessageId"] for envelope in again] == [envelope["MessageId"] for envelope in first]
    assert [envelope["Timestamp"] for envelope in again] == [envelope["Timestamp"] for envelope in first]
    assert {envelope["Replayed"] for envelope in again} == {"true"}
    assert all("Replayed" not in envelope for envelope in first)
    fanout.wait(lambda: _status(fanout, subscription) == "Completed")


def test_a_new_subscription_may_begin_with_the_archive(fanout: Fanout, topic: str) -> None:
    _publish(fanout, topic, "a", "b")
    queue = fanout.queue("q.fifo")
    fanout.subscribe(topic, queue, ReplayPolicy=_policy(_beginning(fanout, topic)))
    _publish(fanout, topic, "c")
    assert fanout.texts(queue, 3) == ["a", "b", "c"]
    assert fanout.is_empty(queue)


def test_a_replay_may_have_an_end(fanout: Fanout, topic: str) -> None:
    queue = fanout.queue("q.fifo")
    subscription = fanout.subscribe(topic, queue)
    _publish(fanout, topic, "before")
    start = _pause()
    _publish(fanout, topic, "a", "b")
    end = _pause()
    _publish(fanout, topic, "behind")
    fanout.texts(queue, 4)
    _replay(fanout, subscription, _policy(start, end))
    assert fanout.texts(queue, 2) == ["a", "b"]
    fanout.wait(lambda: _status(fanout, subscription) == "Completed")
    _publish(fanout, topic, "new")
    assert fanout.texts(queue, 1) == ["new"]
    assert fanout.is_empty(queue)


def test_a_filter_holds_for_a_replay(fanout: Fanout, topic: str) -> None:
    _publish(fanout, topic, '{"n":1}', '{"n":2}', '{"n":3}')
    queue = fanout.queue("q.fifo")
    fanout.subscribe(
        topic,
        queue,
        FilterPolicy='{"n": [{"numeric": [">", 1]}]}',
        FilterPolicyScope="MessageBody",
        ReplayPolicy=_policy(_beginning(fanout, topic)),
    )
    assert fanout.texts(queue, 2) == ['{"n":2}', '{"n":3}']
    assert fanout.is_empty(queue)


def test_a_replay_may_be_asked_for_again(fanout: Fanout, topic: str) -> None:
    queue = fanout.queue("q.fifo")
    subscription = fanout.subscribe(topic, queue)
    _publish(fanout, topic, "a")
    start = _beginning(fanout, topic)
    fanout.texts(queue, 1)
    for end in (start + 1000, start + 2000):
        _replay(fanout, subscription, _policy(start, end))
        assert fanout.texts(queue, 1) == ["a"]


def test_nobody_else_gets_what_is_replayed(fanout: Fanout, topic: str) -> None:
    queue, other = fanout.queue("q.fifo"), fanout.subscribed_queue(topic, "other.fifo")
    subscription = fanout.subscribe(topic, queue)
    _publish(fanout, topic, "a")
    assert fanout.texts(other, 1) == fanout.texts(queue, 1)
    _replay(fanout, subscription, _policy(_beginning(fanout, topic)))
    assert fanout.texts(queue, 1) == ["a"]
    fanout.wait(lambda: _status(fanout, subscription) == "Completed")
    assert fanout.is_empty(other)


def test_a_topic_with_an_archive_cannot_be_deleted(fanout: Fanout, topic: str) -> None:
    message = "Invalid state: Cannot delete a topic with an ArchivePolicy"
    assert refused(fanout.sns.delete_topic, TopicArn=topic) == ("InvalidState", message)
    fanout.sns.set_topic_attributes(TopicArn=topic, AttributeName="ArchivePolicy", AttributeValue="{}")
    fanout.sns.delete_topic(TopicArn=topic)
    assert fanout.sns.list_topics()["Topics"] == []


@pytest.mark.parametrize("policy", ["[" * 20_000, "[]", "no json", '{"MessageRetentionPeriod": "366"}'])
def test_what_is_no_archive_policy_is_refused(fanout: Fanout, topic: str, policy: str) -> None:
    change = {"TopicArn": topic, "AttributeName": "ArchivePolicy", "AttributeValue": policy}
    assert refused(fanout.sns.set_topic_attributes, **change)[0] == "InvalidParameter"


@pytest.mark.parametrize("policy", ["[" * 20_000, "[]", "{}", '{"PointType": "Timestamp"}'])
def test_what_is_no_replay_policy_is_refused(fanout: Fanout, topic: str, policy: str) -> None:
    subscription = fanout.subscribe(topic, fanout.queue("q.fifo"))
    change = {"SubscriptionArn": subscription, "AttributeName": "ReplayPolicy", "AttributeValue": policy}
    assert refused(fanout.sns.set_subscription_attributes, **change)[0] == "InvalidParameter"


# -- retention


@pytest.fixture
def local(tmp_path: Path) -> Any:
    with local_sns(tmp_path) as sns:
        yield sns


def _kept(sns: LocalSns, arn: str) -> int:
    """Return how many messages the log of a topic has."""

    async def count(tx: Transaction) -> int:
        topic = await topics.get(tx, arn)
        return len(await fifo.after(tx, topic, 0, 1_000, 1_000))

    return int(sns.transact(count))


def _publish_locally(sns: LocalSns, topic: str, text: str) -> None:
    sns.call("Publish", TopicArn=topic, Message=text, MessageGroupId="g", MessageDeduplicationId=text)


def _archived(sns: LocalSns) -> str:
    attributes = {"FifoTopic": "true", "ArchivePolicy": _ARCHIVE}
    return str(sns.call("CreateTopic", Name="t.fifo", Attributes=attributes)["TopicArn"])


def test_an_archive_keeps_messages_for_as_long_as_its_policy_says(local: LocalSns) -> None:
    topic = _archived(local)
    _publish_locally(local, topic, "a")
    local.advance(86_400)
    _publish_locally(local, topic, "b")
    local.advance(86_399)
    local.advance(60)
    local.until(lambda: _kept(local, topic) == 1)
    local.advance(86_400)
    local.until(lambda: _kept(local, topic) == 0)


def test_messages_that_wait_for_a_queue_outlive_the_archive(local: LocalSns) -> None:
    topic = _archived(local)
    endpoint = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q.fifo"
    local.call("CreateQueue", service="sqs", QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    local.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
    _publish_locally(local, topic, "a")
    local.advance(3 * 86_400)
    url = local.call("GetQueueUrl", service="sqs", QueueName="q.fifo")["QueueUrl"]
    local.until(lambda: "Messages" in local.call("ReceiveMessage", service="sqs", QueueUrl=url))
    local.advance(60)
    local.until(lambda: _kept(local, topic) == 0)


def test_without_its_policy_an_archive_is_gone(local: LocalSns) -> None:
    topic = _archived(local)
    _publish_locally(local, topic, "a")
    local.until(lambda: _kept(local, topic) == 1)
    local.call("SetTopicAttributes", TopicArn=topic, AttributeName="ArchivePolicy", AttributeValue="")
    local.advance(60)
    local.until(lambda: _kept(local, topic) == 0)
