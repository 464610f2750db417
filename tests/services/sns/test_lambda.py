"""Functions get messages as events of Lambda's (Lambda's developer guide, "Invoking Lambda functions with SNS")."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.services.sns import lambda_delivery
from cloudlet.services.sns.message import Attribute, Message
from cloudlet.services.sns.signing import Signature
from cloudlet.services.sns.subscription import Subscription
from cloudlet.testing.server import Aws

TOPIC = "arn:aws:sns:eu-west-1:111111111111:topic"
FUNCTION = "arn:aws:lambda:eu-west-1:111111111111:function:f"


def event(message: Message) -> dict[str, Any]:
    subscribed = Subscription("id", TOPIC, "lambda", FUNCTION, "111111111111", {}, True, "", 0, False)
    signature = Signature("1", "c2ln", "http://localhost:4566/_cloudlet/sns/x.pem")
    return lambda_delivery.event(message, subscribed, "http://localhost:4566", signature)


def test_an_event_has_one_record() -> None:
    attributes = {
        "text": Attribute("String", "a"),
        "number": Attribute("Number", "1.5"),
        "list": Attribute("String.Array", '["a"]'),
        "bytes": Attribute("Binary", b"\xff"),
    }
    bodies = {"default": "others", "lambda": "functions", "sqs": "queues"}
    assert event(Message("m", TOPIC, 1_700_000_000_007, "subject", bodies, attributes)) == {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"{TOPIC}:id",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "m",
                    "TopicArn": TOPIC,
                    "Subject": "subject",
                    "Message": "functions",
                    "Timestamp": "2023-11-14T22:13:20.007Z",
                    "SignatureVersion": "1",
                    "Signature": "c2ln",
                    "SigningCertUrl": "http://localhost:4566/_cloudlet/sns/x.pem",
                    "UnsubscribeUrl": f"http://localhost:4566/?Action=Unsubscribe&SubscriptionArn={TOPIC}:id",
                    "MessageAttributes": {
                        "text": {"Type": "String", "Value": "a"},
                        "number": {"Type": "String", "Value": "1.5"},
                        "list": {"Type": "String", "Value": '["a"]'},
                        "bytes": {"Type": "Binary", "Value": "/w=="},
                    },
                },
            }
        ]
    }


def test_what_a_message_lacks_is_null_or_empty() -> None:
    (record,) = event(Message("m", TOPIC, 0, None, {"default": "text"}, {}))["Records"]
    assert record["Sns"]["Subject"] is None
    assert record["Sns"]["MessageAttributes"] == {}


def test_a_function_that_is_not_there_leaves_a_dead_letter(aws: Aws) -> None:
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="lambda",
        Endpoint=f"arn:aws:lambda:{aws.region}:{aws.account}:function:missing",
        Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{aws.region}:{aws.account}:dead"})
        },
    )
    id = sns.publish(TopicArn=topic, Message="text")["MessageId"]
    (letter,) = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"]
    assert json.loads(letter["Body"])["MessageId"] == id
