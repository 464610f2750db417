"""The shop's queues: one for each service that is told of something, and one for what it cannot handle."""

from __future__ import annotations

import json
from typing import Any

SERVICES = ("payments", "inventory", "email", "on-call")
TRIES = 3
"""How often a service tries a message before it goes to the dead letters."""

_VISIBILITY_SECONDS = 10
_FORTNIGHT_SECONDS = 14 * 24 * 3600


def name(service: str) -> str:
    return f"shop-{service}"


def dead_letters_name(service: str) -> str:
    return f"shop-{service}-dead-letters"


def create(sqs: Any, service: str, sender: str, source_arn: str) -> str:
    """Create the two queues of a service and return the ARN of the one that it reads.

    Into that one `sender`, an AWS service, may put what comes from `source_arn`. Queues that are there already are
    kept, with what is in them.
    """
    letters = sqs.create_queue(QueueName=dead_letters_name(service))["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=letters, Attributes={"MessageRetentionPeriod": str(_FORTNIGHT_SECONDS)})
    queue = sqs.create_queue(QueueName=name(service))["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn(sqs, dead_letters_name(service)), "maxReceiveCount": TRIES}
    queue_arn = arn(sqs, name(service))
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={
            "VisibilityTimeout": str(_VISIBILITY_SECONDS),
            "RedrivePolicy": json.dumps(redrive),
            "Policy": json.dumps(_admit(sender, source_arn, queue_arn)),
        },
    )
    return queue_arn


def _admit(sender: str, source_arn: str, queue_arn: str) -> dict[str, Any]:
    """Return a policy by which an AWS service may send to a queue, on behalf of one topic or bucket."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": sender},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def url(sqs: Any, queue: str) -> str:
    return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])


def arn(sqs: Any, queue: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url(sqs, queue), AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])
