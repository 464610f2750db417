"""Queues of another account: they are asked for confirmation by a message, as AWS's developer guide tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.sns.test_signing import certificate_of, verify


@pytest.fixture
def other(cloudlet_server: Server) -> Aws:
    return Aws(cloudlet_server.endpoint, fresh_account())


def read(sqs: Any, url: str) -> dict[str, Any]:
    (received,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    body = json.loads(received["Body"])
    assert isinstance(body, dict)
    return body


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_a_queue_of_another_account_is_asked_by_a_message(aws: Aws, other: Aws, suffix: str) -> None:
    sns, sqs = aws.client("sns"), other.client("sqs")
    fifo = {"FifoQueue": "true"} if suffix else {}
    url = sqs.create_queue(QueueName=f"queue{suffix}", Attributes=fifo)["QueueUrl"]
    topic = sns.create_topic(Name=f"topic{suffix}", Attributes={"FifoTopic": "true"} if suffix else {})["TopicArn"]
    arn = f"arn:aws:sqs:{other.region}:{other.account}:queue{suffix}"
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] == "pending confirmation"
    asked = read(sqs, url)
    assert asked["Type"] == "SubscriptionConfirmation"
    verify(asked, certificate_of(asked))
    other.client("sns").confirm_subscription(TopicArn=topic, Token=asked["Token"])
    order = {"MessageGroupId": "group", "MessageDeduplicationId": "one"} if suffix else {}
    sns.publish(TopicArn=topic, Message="hello", **order)
    assert read(sqs, url)["Message"] == "hello"
