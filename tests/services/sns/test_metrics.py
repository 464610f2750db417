"""What SNS measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.own_metrics import total
from tests.services.sns.endpoint import running
from tests.services.sns.fanout import Fanout
from tests.standing import Standing, eventually

ATTRIBUTES = {"colour": {"DataType": "String", "StringValue": "red"}}


def of_topic(aws: Aws, metric: str, topic: str = "orders") -> float | None:
    return total(aws, "AWS/SNS", metric, TopicName=topic)


def test_a_topic_tells_what_was_published_and_what_became_of_it(standing: Standing) -> None:
    aws = standing.account()
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    sqs.create_queue(QueueName="q")
    for queue in ("q", "gone"):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{aws.region}:{aws.account}:{queue}")
    sns.publish(TopicArn=topic, Message="1234é")
    entries = [{"Id": "a", "Message": "123"}, {"Id": "b", "Message": "1"}]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    standing.advance("1m")
    assert eventually(lambda: of_topic(aws, "NumberOfMessagesPublished")) == 3
    assert of_topic(aws, "PublishSize") == 10
    assert of_topic(aws, "NumberOfNotificationsDelivered") == 3
    assert of_topic(aws, "NumberOfNotificationsFailed") == 3


@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
def test_what_is_filtered_out_is_told_by_why(standing: Standing, name: str) -> None:
    aws = standing.account()
    fanout = Fanout(aws)
    topic = fanout.topic(name)
    suffix = ".fifo" if name.endswith(".fifo") else ""
    fanout.subscribed_queue(topic, f"attributes{suffix}", FilterPolicy=json.dumps({"colour": ["blue"]}))
    body = {"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps({"a": [1]})}
    fanout.subscribed_queue(topic, f"body{suffix}", **body)
    everything = fanout.subscribed_queue(topic, f"everything{suffix}")
    messages: list[dict[str, Any]] = [
        {"Message": "no json"},
        {"Message": "{}", "MessageAttributes": ATTRIBUTES},
        {"Message": json.dumps({"a": 1}), "MessageAttributes": ATTRIBUTES},
    ]
    for number, message in enumerate(messages):
        order = {"MessageGroupId": "g", "MessageDeduplicationId": str(number)} if suffix else {}
        fanout.sns.publish(TopicArn=topic, **message, **order)
    fanout.messages(everything, 3)
    standing.advance("1m")
    assert eventually(lambda: of_topic(aws, "NumberOfNotificationsFilteredOut", name), lambda found: found == 5)
    for why, count in {
        "NoMessageAttributes": 1,
        "MessageAttributes": 2,
        "InvalidMessageBody": 1,
        "MessageBody": 1,
    }.items():
        assert of_topic(aws, f"NumberOfNotificationsFilteredOut-{why}", name) == count, why
    assert of_topic(aws, "NumberOfNotificationsDelivered", name) == 4


def test_each_attempt_that_an_endpoint_fails_and_each_dead_letter_is_counted(standing: Standing) -> None:
    aws = standing.account()
    fanout = Fanout(aws)
    topic = fanout.topic()
    dead = fanout.queue("dead")
    retries = {"healthyRetryPolicy": {"numRetries": 2, "numNoDelayRetries": 2}}
    with running() as endpoint:
        fanout.sns.subscribe(
            TopicArn=topic,
            Protocol="http",
            Endpoint=endpoint.url,
            Attributes={
                "DeliveryPolicy": json.dumps(retries),
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": fanout.arn(dead)}),
            },
        )
        (asked,) = endpoint.wait(kind="SubscriptionConfirmation")
        fanout.sns.confirm_subscription(TopicArn=topic, Token=asked.message["Token"])
        endpoint.answer = lambda received: 503
        fanout.sns.publish(TopicArn=topic, Message="a")
        fanout.messages(dead, 1)
    other = fanout.topic("other")
    gone = json.dumps({"deadLetterTargetArn": f"{fanout.arn(dead)}-gone"})
    fanout.subscribe(other, dead + "-too", RedrivePolicy=gone)
    fanout.sns.publish(TopicArn=other, Message="b")
    standing.advance("1m")
    assert eventually(lambda: of_topic(aws, "NumberOfNotificationsRedrivenToDlq")) == 1
    assert of_topic(aws, "NumberOfNotificationsFailed") == 3

    def lost() -> float | None:
        standing.advance("1m")
        return of_topic(aws, "NumberOfNotificationsFailedToRedriveToDlq", "other")

    assert eventually(lost) == 1
    assert of_topic(aws, "NumberOfNotificationsFailed", "other") == 1
