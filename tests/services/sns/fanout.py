"""A topic, and queues that are subscribed to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from cloudlet.testing.server import Aws

_PATIENCE_SECONDS = 30


class Fanout:
    """What tests of delivery do with one account's topics and queues."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.sns = aws.client("sns")
        self.sqs = aws.client("sqs")

    def topic(self, name: str = "orders", **attributes: str) -> str:
        """Create a topic and return its ARN."""
        if name.endswith(".fifo"):
            attributes["FifoTopic"] = "true"
        return str(self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"])

    def queue(self, name: str, **attributes: str) -> str:
        """Create a queue and return its URL."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        """Return the ARN of a queue."""
        return f"arn:aws:sqs:{self.aws.region}:{self.aws.account}:{url.rpartition('/')[2]}"

    def subscribe(self, topic: str, url: str, **attributes: str) -> str:
        """Subscribe a queue and return the subscription's ARN."""
        subscribed = self.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=self.arn(url), Attributes=attributes, ReturnSubscriptionArn=True
        )
        return str(subscribed["SubscriptionArn"])

    def subscribed_queue(self, topic: str, name: str, **attributes: str) -> str:
        """Create and subscribe a queue; return its URL."""
        url = self.queue(name)
        self.subscribe(topic, url, **attributes)
        return url

    def messages(self, url: str, count: int) -> list[dict[str, Any]]:
        """Receive and delete messages until there are `count`. Fails where they do not come."""
        received: list[dict[str, Any]] = []
        end = time.monotonic() + _PATIENCE_SECONDS
        while len(received) < count:
            assert time.monotonic() < end, f"only {len(received)} of {count} messages came"
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(10, count - len(received)),
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                received.append(message)
        return received

    def envelopes(self, url: str, count: int) -> list[dict[str, Any]]:
        """Receive messages in SNS's envelope until there are `count`."""
        return [json.loads(message["Body"]) for message in self.messages(url, count)]

    def texts(self, url: str, count: int) -> list[str]:
        """Return what was published, of messages in SNS's envelope."""
        return [envelope["Message"] for envelope in self.envelopes(url, count)]

    def bodies(self, url: str, count: int) -> list[str]:
        """Return the bodies of raw messages."""
        return [message["Body"] for message in self.messages(url, count)]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds. Fails where it never does."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "the condition never held"
            time.sleep(0.02)

    def is_empty(self, url: str) -> bool:
        """Whether nothing is in a queue, received or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(attributes[name] == "0" for name in names)
