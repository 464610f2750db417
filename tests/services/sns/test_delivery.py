"""Delivery from standard topics: to whom, how often, and where to when it fails."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import outward
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable
from cloudlet.testing.server import Aws
from tests.modes import meaningless_in
from tests.services.sns.cloud import ACCOUNT, REGION, LocalSns, local_sns
from tests.services.sns.fanout import Fanout


@pytest.fixture
def topic(fanout: Fanout) -> str:
    return fanout.topic()


# -- to whom


@pytest.mark.parametrize("count", [3, 40, 150])
def test_every_queue_gets_every_message(fanout: Fanout, topic: str, count: int) -> None:
    queues = [fanout.subscribed_queue(topic, f"q{number}") for number in range(count)]
    for text in ("a", "b", "c"):
        fanout.sns.publish(TopicArn=topic, Message=text)
    for queue in queues:
        assert sorted(fanout.texts(queue, 3)) == ["a", "b", "c"]


def test_a_topic_with_more_subscribers_than_a_page_serves_all(fanout: Fanout, topic: str) -> None:
    names = [f"q{number}" for number in range(620)]
    with ThreadPoolExecutor(4) as pool:
        queues = list(pool.map(lambda name: fanout.subscribed_queue(topic, name), names))
    fanout.sns.publish(TopicArn=topic, Message="to all")
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda queue: fanout.texts(queue, 1), queues))
    assert texts == [["to all"]] * len(queues)
    assert all(fanout.is_empty(queue) for queue in queues[:: len(queues) // 10])


def test_filters_choose_who_gets_a_message(fanout: Fanout, topic: str) -> None:
    orders = fanout.subscribed_queue(topic, "orders", FilterPolicy='{"kind": ["order"]}')
    large = fanout.subscribed_queue(
        topic, "large", FilterPolicy='{"price": [{"numeric": [">", 100]}]}', FilterPolicyScope="MessageBody"
    )
    everything = fanout.subscribed_queue(topic, "everything")
    order = {"kind": {"DataType": "String", "StringValue": "order"}}
    fanout.sns.publish(TopicArn=topic, Message='{"price": 10}', MessageAttributes=order)
    fanout.sns.publish(TopicArn=topic, Message='{"price": 1000}')
    assert fanout.texts(orders, 1) == ['{"price": 10}']
    assert fanout.texts(large, 1) == ['{"price": 1000}']
    assert set(fanout.texts(everything, 2)) == {'{"price": 10}', '{"price": 1000}'}
    assert fanout.is_empty(orders)
    assert fanout.is_empty(large)


def test_a_changed_filter_holds_for_the_next_message(fanout: Fanout, topic: str) -> None:
    queue = fanout.queue("q")
    subscription = fanout.subscribe(topic, queue, FilterPolicy='{"kind": ["order"]}')
    fanout.sns.publish(TopicArn=topic, Message="filtered")
    fanout.sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue="{}"
    )
    fanout.sns.publish(TopicArn=topic, Message="let through")
    assert fanout.texts(queue, 1) == ["let through"]
    assert fanout.is_empty(queue)


def test_nothing_comes_after_the_end_of_a_subscription(fanout: Fanout, topic: str) -> None:
    queue = fanout.queue("q")
    subscription = fanout.subscribe(topic, queue)
    other = fanout.subscribed_queue(topic, "other")
    fanout.sns.unsubscribe(SubscriptionArn=subscription)
    fanout.sns.publish(TopicArn=topic, Message="m")
    assert fanout.texts(other, 1) == ["m"]
    assert fanout.is_empty(queue)


def test_a_signed_topic_delivers_signed_messages(fanout: Fanout) -> None:
    topic = fanout.topic("signed", SignatureVersion="2")
    queue = fanout.subscribed_queue(topic, "q")
    fanout.sns.publish(TopicArn=topic, Message="m")
    [envelope] = fanout.envelopes(queue, 1)
    assert envelope["SignatureVersion"] == "2"
    assert envelope["Signature"]
    assert envelope["SigningCertURL"].startswith(fanout.aws.endpoint)


# -- dead letters


def _redrive(fanout: Fanout, dead: str) -> str:
    return json.dumps({"deadLetterTargetArn": fanout.arn(dead)})


@pytest.mark.parametrize("others", [0, 30])
def test_what_a_queue_that_is_gone_would_have_got_is_a_dead_letter(fanout: Fanout, topic: str, others: int) -> None:
    for number in range(others):
        fanout.subscribed_queue(topic, f"other-{number}")
    dead = fanout.queue("dead")
    fanout.sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=fanout.arn(f"{fanout.aws.endpoint}/{fanout.aws.account}/nowhere"),
        Attributes={"RedrivePolicy": _redrive(fanout, dead)},
    )
    published = fanout.sns.publish(TopicArn=topic, Message="m", Subject="s")
    [envelope] = fanout.envelopes(dead, 1)
    assert envelope["MessageId"] == published["MessageId"]
    assert (envelope["Message"], envelope["Subject"]) == ("m", "s")


def test_a_dead_letter_of_a_raw_subscription_is_raw(fanout: Fanout, topic: str) -> None:
    dead = fanout.queue("dead")
    fanout.sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=fanout.arn(f"{fanout.aws.endpoint}/{fanout.aws.account}/nowhere"),
        Attributes={"RedrivePolicy": _redrive(fanout, dead), "RawMessageDelivery": "true"},
    )
    fanout.sns.publish(TopicArn=topic, Message="m")
    assert fanout.bodies(dead, 1) == ["m"]


def test_a_message_that_its_queue_refuses_is_a_dead_letter(fanout: Fanout, topic: str) -> None:
    dead = fanout.queue("dead")
    small = fanout.queue("small", MaximumMessageSize="1024")
    fanout.subscribe(topic, small, RedrivePolicy=_redrive(fanout, dead), RawMessageDelivery="true")
    fanout.sns.publish(TopicArn=topic, Message="s" * 1024)
    fanout.sns.publish(TopicArn=topic, Message="l" * 1025)
    assert fanout.bodies(small, 1) == ["s" * 1024]
    assert fanout.bodies(dead, 1) == ["l" * 1025]
    assert fanout.is_empty(small)


def test_more_attributes_than_a_queue_takes_make_a_dead_letter(fanout: Fanout, topic: str) -> None:
    dead = fanout.queue("dead")
    raw = fanout.queue("raw")
    fanout.subscribe(topic, raw, RawMessageDelivery="true")
    enveloped = fanout.queue("enveloped")
    fanout.subscribe(topic, enveloped, RedrivePolicy=_redrive(fanout, dead))
    attributes = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(11)}
    fanout.sns.publish(TopicArn=topic, Message="m", MessageAttributes=attributes)
    fanout.sns.publish(TopicArn=topic, Message="next")
    [first, _] = fanout.envelopes(enveloped, 2)
    assert len(first["MessageAttributes"]) == 11
    assert fanout.bodies(raw, 1) == ["next"]
    assert fanout.is_empty(raw)
    assert fanout.is_empty(dead)


def test_the_others_get_what_one_queue_refuses(fanout: Fanout, topic: str) -> None:
    fanout.sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=fanout.arn(f"{fanout.aws.endpoint}/{fanout.aws.account}/nowhere")
    )
    queue = fanout.subscribed_queue(topic, "q")
    fanout.sns.publish(TopicArn=topic, Message="m")
    assert fanout.texts(queue, 1) == ["m"]


# -- subscribers that never answer


def test_hundreds_of_subscribers_that_never_answer_hold_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []

    async def deliver(block: Block, topic: Topic, subscribed: Subscription, message: Message) -> None:
        if subscribed.endpoint.startswith("+49"):
            await asyncio.Event().wait()
        served.append(message.bodies["default"])

    monkeypatch.setattr(outward, "deliver", deliver)
    with local_sns(tmp_path) as sns:
        topic = str(sns.call("CreateTopic", Name="t")["TopicArn"])
        for number in range(400):
            sns.call("Subscribe", TopicArn=topic, Protocol="sms", Endpoint=f"+49151{number:07}")
        sns.call("Subscribe", TopicArn=topic, Protocol="sms", Endpoint="+431234567")
        for text in ("a", "b", "c"):
            sns.call("Publish", TopicArn=topic, Message=text)
            sns.until(lambda text=text: text in served)  # type: ignore[misc]
        assert served == ["a", "b", "c"]


def test_thousands_of_subscribers_that_fail_take_the_places_of_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []
    failed: set[str] = set()

    async def deliver(block: Block, topic: Topic, subscribed: Subscription, message: Message) -> None:
        if not subscribed.endpoint.startswith("+49"):
            served.append(message.bodies["default"])
        elif subscribed.endpoint not in failed:
            failed.add(subscribed.endpoint)
            raise Undeliverable("no answer", permanent=False)
        else:
            await asyncio.Event().wait()

    monkeypatch.setattr(outward, "deliver", deliver)
    with local_sns(tmp_path) as sns:
        topic = str(sns.call("CreateTopic", Name="t")["TopicArn"])
        for number in range(1_200):
            sns.call("Subscribe", TopicArn=topic, Protocol="sms", Endpoint=f"+49151{number:07}")
        sns.call("Publish", TopicArn=topic, Message="first")
        sns.until(lambda: len(failed) == 1_200)
        sns.advance(10)
        sns.call("Subscribe", TopicArn=topic, Protocol="sms", Endpoint="+431234567")
        sns.call("Publish", TopicArn=topic, Message="second")
        sns.until(lambda: served == ["second"])


# -- permissions of queues


@pytest.fixture
def strict(tmp_path: Path) -> Any:
    with local_sns(tmp_path, "strict") as sns:
        yield sns


def _subscribed(sns: LocalSns, *, allowed: str | None) -> tuple[str, str]:
    """Return a topic and a queue that is subscribed to it, whose policy lets in this topic."""
    topic = str(sns.call("CreateTopic", Name="orders")["TopicArn"])
    queue = str(sns.call("CreateQueue", service="sqs", QueueName="q")["QueueUrl"])
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    if allowed is not None:
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": allowed}},
            },
        }
        sns.call("SetQueueAttributes", service="sqs", QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def _texts(sns: LocalSns, queue: str) -> list[str]:
    received = sns.call("ReceiveMessage", service="sqs", QueueUrl=queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"])["Message"] for message in received.get("Messages", [])]


def test_where_permissions_are_enforced_a_queue_must_let_its_topic_in(strict: LocalSns) -> None:
    topic, queue = _subscribed(strict, allowed=f"arn:aws:sns:{REGION}:{ACCOUNT}:orders")
    strict.call("Publish", TopicArn=topic, Message="m")
    strict.until(lambda: _texts(strict, queue) == ["m"])


def test_a_queue_that_lets_another_topic_in_gets_nothing(strict: LocalSns) -> None:
    topic, queue = _subscribed(strict, allowed=f"arn:aws:sns:{REGION}:{ACCOUNT}:other")
    strict.call("Publish", TopicArn=topic, Message="m")
    strict.advance(0)
    assert _texts(strict, queue) == []


# -- status


shown = meaningless_in("strict", because="the page is there in open mode")


def _status(aws: Aws) -> list[dict[str, Any]]:
    """Return what is noted of this account's deliveries."""
    with urlopen(f"{aws.endpoint}/_cloudlet/sns/delivery-status") as answer:
        records = json.load(answer)
    return [record for record in records if aws.account in record["logGroup"]]


@shown
def test_delivery_status_is_noted_where_a_topic_asks_for_it(fanout: Fanout) -> None:
    role = f"arn:aws:iam::{fanout.aws.account}:role/feedback"
    topic = fanout.topic("noted", SQSSuccessFeedbackRoleArn=role, SQSFailureFeedbackRoleArn=role)
    queue = fanout.subscribed_queue(topic, "q")
    gone = f"{fanout.arn(queue)}-gone"
    fanout.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=gone)
    id = fanout.sns.publish(TopicArn=topic, Message="m")["MessageId"]
    fanout.texts(queue, 1)
    fanout.wait(lambda: len(_status(fanout.aws)) == 2)
    records = sorted(_status(fanout.aws), key=lambda record: record["status"])
    group = f"sns/us-east-1/{fanout.aws.account}/noted"
    assert [(record["status"], record["logGroup"]) for record in records] == [
        ("FAILURE", f"{group}/Failure"),
        ("SUCCESS", group),
    ]
    assert {record["notification"]["messageId"] for record in records} == {id}
    assert [record["delivery"]["destination"] for record in records] == [gone, fanout.arn(queue)]
    assert "QueueDoesNotExist" in records[0]["delivery"]["providerResponse"]


@shown
def test_no_status_is_noted_where_no_topic_asks_for_it(fanout: Fanout, topic: str) -> None:
    role = f"arn:aws:iam::{fanout.aws.account}:role/feedback"
    none = fanout.topic("none", SQSSuccessFeedbackRoleArn=role, SQSSuccessFeedbackSampleRate="0")
    all_of_them = fanout.topic("all", SQSSuccessFeedbackRoleArn=role)
    queue = fanout.queue("q")
    for each in (topic, none, all_of_them):
        fanout.subscribe(each, queue)
        fanout.sns.publish(TopicArn=each, Message="m")
    fanout.texts(queue, 3)
    fanout.wait(lambda: bool(_status(fanout.aws)))
    assert {record["notification"]["topicArn"] for record in _status(fanout.aws)} == {all_of_them}
