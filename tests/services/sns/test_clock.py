"""A clock that is set back keeps nothing from subscribers who were there before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.sns.cloud import ACCOUNT, REGION, LocalSns, local_sns

_DAY = 86_400


class _Subscribed:
    """A topic of each kind, with a queue that gets what is published."""

    def __init__(self, sns: LocalSns) -> None:
        self._sns = sns
        self.standard = sns.call("CreateTopic", Name="t")["TopicArn"]
        fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
        self.fifo = sns.call("CreateTopic", Name="t.fifo", Attributes=fifo)["TopicArn"]
        self._url = sns.call("CreateQueue", service="sqs", QueueName="q")["QueueUrl"]
        for topic in (self.standard, self.fifo):
            queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
            raw = {"RawMessageDelivery": "true"}
            sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)

    def received(self, count: int) -> list[str]:
        """Return the bodies of so many messages. Fails where they do not come."""
        found: list[str] = []

        def all_are_there() -> bool:
            answer = self._sns.call("ReceiveMessage", service="sqs", QueueUrl=self._url, MaxNumberOfMessages=10)
            found.extend(message["Body"] for message in answer.get("Messages", ()))
            return len(found) >= count

        self._sns.until(all_are_there)
        return found


@pytest.fixture
def sns(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path) as local:
        yield local


def test_subscribers_get_what_is_published_after_the_clock_was_set_back(sns: LocalSns) -> None:
    subscribed = _Subscribed(sns)
    sns.advance(-_DAY)
    sns.call("Publish", TopicArn=subscribed.standard, Message="standard")
    sns.call("Publish", TopicArn=subscribed.fifo, Message="fifo", MessageGroupId="g")
    assert sorted(subscribed.received(2)) == ["fifo", "standard"]


def test_what_was_published_before_makes_nothing_a_repetition(sns: LocalSns) -> None:
    subscribed = _Subscribed(sns)
    sns.call("Publish", TopicArn=subscribed.fifo, Message="same", MessageGroupId="g")
    sns.advance(-_DAY)
    sns.call("Publish", TopicArn=subscribed.fifo, Message="same", MessageGroupId="g")
    assert subscribed.received(2) == ["same", "same"]
