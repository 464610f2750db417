"""How often operations were called, as `AWS/Usage` shows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from cloudlet.core import Context
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.core.kernel.service import Handler, Service
from cloudlet.core.telemetry.usage import Usage
from tests.own_metrics import total
from tests.standing import Standing, eventually


def test_calls_of_each_operation_are_counted(standing: Standing) -> None:
    aws = standing.account()
    sns = aws.client("sns")
    for name in ("a", "b", "c"):
        sns.create_topic(Name=name)
    sns.list_topics()
    standing.advance("2m")

    def calls(operation: str) -> float | None:
        return total(aws, "AWS/Usage", "CallCount", Type="API", Resource=operation, Service="SNS", Class="None")

    assert eventually(lambda: calls("CreateTopic")) == 3
    assert calls("ListTopics") == 1
    assert calls("DeleteTopic") is None


def test_what_blocks_call_of_each_other_is_not_counted(standing: Standing) -> None:
    aws = standing.account()
    queue = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{aws.account}:q"
    topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws.client("sns").publish(TopicArn=topic, Message="m")
    assert aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    standing.advance("2m")

    def calls(operation: str) -> float | None:
        return total(aws, "AWS/Usage", "CallCount", Type="API", Resource=operation, Service="SQS", Class="None")

    assert eventually(lambda: calls("ReceiveMessage")) == 1
    assert calls("SendMessage") is None
    assert calls("SendMessageBatch") is None


@pytest.mark.interpreted
def test_what_nobody_has_signed_is_no_accounts() -> None:
    usage = Usage(cast(Service, SimpleNamespace(name="sns", namespace="AWS/SNS")))
    ctx = SimpleNamespace(principal=ANONYMOUS, account=ANONYMOUS.account, region="us-east-1")
    usage.count(cast(Context, ctx), cast(Handler, SimpleNamespace(name="Unsubscribe")), {}, None, None)
    usage.close(0.0)
    assert usage.metrics.take_complete(1e9) == {}
