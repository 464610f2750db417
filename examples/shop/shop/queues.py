"""The shop's queues: one for each service that is told of something, and one for what it cannot handle."""

from __future__ import annotations

from typing import Any


def url(sqs: Any, queue: str) -> str:
    return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])


def arn(sqs: Any, queue: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url(sqs, queue), AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])
