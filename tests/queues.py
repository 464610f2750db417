"""Queues to look into, over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from cloudlet.testing.server import Aws

_WAIT_SECONDS = 20
_PATIENCE_SECONDS = 60


def missing(sqs: Any, url: str, expected: Iterable[str]) -> set[str]:
    """Receive from a queue until all bodies that are expected have come; return those that did not."""
    left = set(expected)
    end = time.monotonic() + _PATIENCE_SECONDS
    while left and time.monotonic() < end:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", ()):
            left.discard(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return left


class QueueCloud:
    """Clients of one account, and queues in which what comes can be seen."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.account = aws.account
        self.sqs: Any = aws.client("sqs")

    def queue(self, name: str = "q", **attributes: str) -> tuple[str, str]:
        """Create a queue; return its URL and ARN."""
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{self.sqs.meta.region_name}:{self.account}:{name}"

    def received(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        """Return so many messages of a queue, once they are there."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                WaitTimeSeconds=_WAIT_SECONDS,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            assert messages, f"only {len(found)} messages came"
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
        return found

    def bodies(self, url: str, count: int = 1) -> list[Any]:
        """Return the JSON of so many messages of a queue, once they are there."""
        return [json.loads(message["Body"]) for message in self.received(url, count)]

    def held(self, url: str) -> int:
        """Return how many messages a queue has that nobody has received."""
        return self._count(url, "ApproximateNumberOfMessages")

    def in_flight(self, url: str) -> int:
        """Return how many messages of a queue somebody has received and not deleted."""
        return self._count(url, "ApproximateNumberOfMessagesNotVisible")

    def left(self, url: str) -> int:
        """Return how many messages a queue has, those that somebody has received among them."""
        return self.held(url) + self.in_flight(url)

    def _count(self, url: str, name: str) -> int:
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
