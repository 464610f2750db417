"""SNS while SQS is down: it goes on taking messages, loses none, keeps its order, and serves all other subscribers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.errors import unavailable
from cloudlet.testing.server import Aws, Server
from tests.services.sns.cloud import ACCOUNT, REGION, LocalSns, local_sns
from tests.services.sns.fanout import Fanout

_DAY = 86_400.0


def test_what_is_published_while_sqs_is_down_is_delivered_when_it_is_back(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        fanout = Fanout(Aws(server.endpoint, "123456789012"))
        standard, fifo = fanout.topic("orders"), fanout.topic("orders.fifo")
        fanout.subscribed_queue(standard, "q", RawMessageDelivery="true")
        fanout.subscribed_queue(fifo, "q.fifo", RawMessageDelivery="true")
    texts = [f"m{number:02}" for number in range(30)]
    with Server.start("--data", str(tmp_path), "--services", "sns,sts") as server:
        sns = Aws(server.endpoint, "123456789012").client("sns")
        for text in texts:
            sns.publish(TopicArn=standard, Message=text)
            sns.publish(TopicArn=fifo, Message=text, MessageGroupId="g", MessageDeduplicationId=text)
    with Server.start("--data", str(tmp_path)) as server:
        fanout = Fanout(Aws(server.endpoint, "123456789012"))
        urls = [fanout.sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("q", "q.fifo")]
        assert sorted(fanout.bodies(urls[0], len(texts))) == texts
        assert fanout.bodies(urls[1], len(texts)) == texts
        assert all(fanout.is_empty(url) for url in urls)


class _Neighbours:
    """A Cloudlet within the test, whose SQS can be down."""

    def __init__(self, sns: LocalSns, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sns = sns
        self.down = False
        self.hangs = False
        self.answer = asyncio.Event()
        self.tries = 0
        self._call = sns.cloud.call
        monkeypatch.setattr(sns.cloud, "call", self._called)
        self.topic = str(sns.call("CreateTopic", Name="orders")["TopicArn"])
        self.queue = self.queue_named("q")

    async def _called(self, service: str, operation: str, params: dict[str, Any], **more: Any) -> Any:
        if service == "sqs" and self.down:
            self.tries += 1
            raise unavailable()
        if service == "sqs" and self.hangs:
            await self.answer.wait()
        return await self._call(service, operation, params, **more)

    def queue_named(self, name: str) -> str:
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        return str(self.sns.call("CreateQueue", service="sqs", QueueName=name, Attributes=fifo)["QueueUrl"])

    def subscribe(self, topic: str, name: str, **attributes: str) -> str:
        """Subscribe a queue; return the subscription's ARN."""
        endpoint = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        subscribed = self.sns.call(
            "Subscribe",
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=endpoint,
            Attributes={"RawMessageDelivery": "true", **attributes},
        )
        return str(subscribed["SubscriptionArn"])

    def received(self, queue: str) -> list[str]:
        """Receive and delete messages; return their bodies."""
        answer = self.sns.call("ReceiveMessage", service="sqs", QueueUrl=queue, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        for message in messages:
            self.sns.call("DeleteMessage", service="sqs", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]

    def expect(self, queue: str, texts: list[str]) -> None:
        """Wait until just these messages have come, in this order, while time goes by."""
        came: list[str] = []

        def complete() -> bool:
            came.extend(self.received(queue))
            # When it is tried again is written down once it has failed, by the clock of then.
            self.sns.advance(20)
            return len(came) >= len(texts)

        self.sns.until(complete)
        assert came == texts


@pytest.fixture
def neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Neighbours]:
    with local_sns(tmp_path) as sns:
        yield _Neighbours(sns, monkeypatch)


def test_a_publisher_does_not_wait_for_a_queue_that_does_not_answer(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    neighbours.subscribe(neighbours.topic, "q")
    neighbours.hangs = True
    sns.call("Publish", TopicArn=neighbours.topic, Message="m")
    neighbours.hangs = False
    neighbours.answer.set()
    neighbours.expect(neighbours.queue, ["m", "m"])


def test_messages_wait_for_days(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    neighbours.subscribe(neighbours.topic, "q")
    neighbours.down = True
    sns.call("Publish", TopicArn=neighbours.topic, Message="m")
    tried = 0

    def is_tried_again() -> bool:
        sns.advance(60)
        return neighbours.tries > tried

    for _ in range(5):
        tried = neighbours.tries
        sns.advance(_DAY)
        sns.until(is_tried_again)
    neighbours.down = False
    neighbours.expect(neighbours.queue, ["m"])


def test_messages_wait_though_the_clock_was_set_back(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    neighbours.subscribe(neighbours.topic, "q")
    sns.advance(-_DAY)
    neighbours.down = True
    sns.call("Publish", TopicArn=neighbours.topic, Message="m")
    neighbours.down = False
    neighbours.expect(neighbours.queue, ["m"])


def test_what_comes_next_goes_directly_again(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    neighbours.subscribe(neighbours.topic, "q")
    neighbours.down = True
    sns.call("Publish", TopicArn=neighbours.topic, Message="first")
    neighbours.down = False
    neighbours.expect(neighbours.queue, ["first"])
    sns.call("Publish", TopicArn=neighbours.topic, Message="second")
    assert neighbours.received(neighbours.queue) == ["second"]


def test_a_fifo_topic_keeps_its_order(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    topic = str(sns.call("CreateTopic", Name="orders.fifo", Attributes={"FifoTopic": "true"})["TopicArn"])
    queue = neighbours.queue_named("q.fifo")
    neighbours.subscribe(topic, "q.fifo")

    def publish(text: str) -> None:
        sns.call("Publish", TopicArn=topic, Message=text, MessageGroupId="g", MessageDeduplicationId=text)

    publish("a")
    neighbours.expect(queue, ["a"])
    neighbours.down = True
    for text in "bcdef":
        publish(text)
        sns.advance(1)
    assert neighbours.tries
    neighbours.down = False
    publish("g")
    neighbours.expect(queue, list("bcdefg"))


def test_other_subscribers_do_not_wait(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    neighbours.subscribe(neighbours.topic, "q")
    sns.call("Subscribe", TopicArn=neighbours.topic, Protocol="sms", Endpoint="+4915112345678")
    neighbours.down = True
    sns.call("Publish", TopicArn=neighbours.topic, Message="m")
    sent = sns.folder / "sms.jsonl"
    sns.until(lambda: sent.exists() and sent.read_text().endswith("\n"))
    assert json.loads(sent.read_text())["message"] == "m"


def test_a_dead_letter_waits_for_its_queue(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    dead = neighbours.queue_named("dead")
    redrive = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"})
    neighbours.subscribe(neighbours.topic, "nowhere", RedrivePolicy=redrive)
    sns.call("Publish", TopicArn=neighbours.topic, Message="before")
    neighbours.expect(dead, ["before"])
    neighbours.down = True
    sns.call("Publish", TopicArn=neighbours.topic, Message="m")
    sns.advance(60)
    neighbours.down = False
    neighbours.expect(dead, ["m"])


def test_a_message_of_a_topic_that_was_deleted_meanwhile_is_forgotten(neighbours: _Neighbours) -> None:
    sns = neighbours.sns
    neighbours.subscribe(neighbours.topic, "q")
    neighbours.down = True
    sns.call("Publish", TopicArn=neighbours.topic, Message="m")
    sns.call("DeleteTopic", TopicArn=neighbours.topic)
    again = str(sns.call("CreateTopic", Name="orders")["TopicArn"])
    neighbours.subscribe(again, "q")
    neighbours.down = False
    sns.call("Publish", TopicArn=again, Message="new")
    neighbours.expect(neighbours.queue, ["new"])
