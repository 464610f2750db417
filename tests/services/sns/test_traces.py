"""The trace header of a publish goes on to subscribers (X-Ray developer guide, "Amazon SNS and AWS X-Ray")."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloudlet.core.cloud import Config
from cloudlet.services.sns import lambda_delivery
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription
from cloudlet.testing.server import Aws
from tests.services.sns.endpoint import running
from tests.services.sns.fanout import Fanout
from tests.traced import TRACE, trace_of, traced


@pytest.fixture
def fanout(aws: Aws) -> Fanout:
    return Fanout(aws)


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_queue_gets_the_header_as_an_attribute(aws: Aws, fanout: Fanout, raw: str) -> None:
    topic = fanout.topic()
    url = fanout.subscribed_queue(topic, "q", RawMessageDelivery=raw)
    sns = traced(aws, "sns")
    sns.publish(TopicArn=topic, Message="a")
    assert trace_of(fanout.sqs, url) == TRACE
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "a", "Message": "b"}])
    assert trace_of(fanout.sqs, url) == TRACE
    aws.client("sns").publish(TopicArn=topic, Message="c")
    assert trace_of(fanout.sqs, url) is None


def test_the_outbox_keeps_the_header(aws: Aws, fanout: Fanout) -> None:
    # What is signed does not go while the publisher waits.
    topic = fanout.topic(SignatureVersion="2")
    url = fanout.subscribed_queue(topic, "q")
    traced(aws, "sns").publish(TopicArn=topic, Message="a")
    assert trace_of(fanout.sqs, url) == TRACE


def test_a_fifo_topic_keeps_the_header(aws: Aws, fanout: Fanout) -> None:
    topic = fanout.topic("orders.fifo")
    url = fanout.subscribed_queue(topic, "q.fifo")
    traced(aws, "sns").publish(TopicArn=topic, Message="a", MessageGroupId="g", MessageDeduplicationId="d")
    assert trace_of(fanout.sqs, url) == TRACE


def test_an_endpoint_gets_the_header_with_each_attempt_and_so_does_the_dead_letter_queue(
    aws: Aws, fanout: Fanout
) -> None:
    topic = fanout.topic()
    dead = fanout.queue("dead")
    attributes = {
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": fanout.arn(dead)}),
        "DeliveryPolicy": json.dumps({"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 1}}),
    }
    with running() as endpoint:
        fanout.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes=attributes)
        (asked,) = endpoint.wait(kind="SubscriptionConfirmation")
        fanout.sns.confirm_subscription(TopicArn=topic, Token=asked.message["Token"])
        assert "x-amzn-trace-id" not in asked.headers
        endpoint.answer = lambda received: 503
        traced(aws, "sns").publish(TopicArn=topic, Message="a")
        attempts = endpoint.wait(2)
        assert [each.headers["x-amzn-trace-id"] for each in attempts] == [TRACE, TRACE]
        assert trace_of(fanout.sqs, dead) == TRACE


def test_a_function_is_invoked_within_the_trace() -> None:
    called: list[dict[str, Any]] = []

    async def call(*_: Any, **more: Any) -> None:
        called.append(more)

    block: Any = SimpleNamespace(call=call, cloud=SimpleNamespace(config=Config(Path())))
    topic = "arn:aws:sns:eu-west-1:111111111111:topic"
    function = "arn:aws:lambda:eu-west-1:111111111111:function:f"
    subscribed = Subscription("id", topic, "lambda", function, "111111111111", {}, True, "", 0, False)
    message = Message("m", topic, 0, None, {"default": "a"}, {}, trace=TRACE)
    asyncio.run(lambda_delivery.deliver(block, subscribed, message, None))
    assert called[0]["trace"] == TRACE
