"""What is kept in memory is bounded by its size, not by its number alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.services.sns import filter_policy, notification, plan
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.topic_record import Topic, encode
from tests.services.sns.cloud import ACCOUNT, REGION, LocalSns, local_sns


@pytest.fixture
def sns(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path) as local:
        yield local


def test_a_plan_is_as_large_as_its_filters_and_takes_the_place_of_the_one_before(sns: LocalSns) -> None:
    topic = sns.call("CreateTopic", Name="measured")["TopicArn"]
    for name in ("a", "b"):
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        attributes = {"FilterPolicy": json.dumps({"key": [name * 20_000]})}
        sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)
        sns.call("Publish", TopicArn=topic, Message="m")
    (size,) = [size for kept, size in plan._kept._values.values() if kept.topic.arn == topic]
    assert 40_000 < size < 60_000


def test_a_filter_that_is_compiled_is_kept_with_what_it_may_take() -> None:
    text = json.dumps({"key": ["kept" * 1_000]})
    assert filter_policy.compiled(text, "MessageBody") is filter_policy.compiled(text, "MessageBody")
    assert filter_policy._compiled._values[text, "MessageBody"][1] > len(text)


def test_a_large_topic_is_not_kept() -> None:
    for size, is_kept in ((10, True), (10_000, False)):
        raw = encode(Topic(1, ACCOUNT, REGION, "t", 0, {"Policy": "x" * size}, {}, 1))
        assert topics.decode(raw) == topics.decode(raw)
        assert (topics.decode(raw) is topics.decode(raw)) == is_kept


def test_what_was_written_of_large_messages_is_kept_of_the_last_ones_alone() -> None:
    messages = [Message(str(number), "topic", 0, None, {"default": "\x00" * 1_000_000}, {}) for number in range(10)]
    for message in messages:
        notification.envelope(message, endpoint="http://localhost", subscription_arn="arn:sub", signature=None)
    assert notification._made.size <= 16 << 20
