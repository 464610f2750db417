"""The shop's queues: one for each service that follows up on orders, and one for the orders it cannot handle."""

from __future__ import annotations

import json
from typing import Any

SERVICES = ("payments", "inventory", "email")
TRIES = 3
"""How often a service tries an order before it goes to the dead letters."""

_VISIBILITY_SECONDS = 10
_FORTNIGHT_SECONDS = 14 * 24 * 3600


def name(service: str) -> str:
    return f"shop-{service}"


def dead_letters_name(service: str) -> str:
    return f"shop-{service}-dead-letters"


def create(sqs: Any, service: str, topic_arn: str) -> str:
    """Create the two queues of a service, for the messages of a topic; return the ARN of the one that it reads.

    Creating what is there already, as it is, changes nothing.
    """
    queue, dead_letters = name(service), dead_letters_name(service)
    sqs.create_queue(QueueName=dead_letters, Attributes={"MessageRetentionPeriod": str(_FORTNIGHT_SECONDS)})
    redrive = {"deadLetterTargetArn": arn(topic_arn, dead_letters), "maxReceiveCount": TRIES}
    sqs.create_queue(
        QueueName=queue,
        Attributes={
            "VisibilityTimeout": str(_VISIBILITY_SECONDS),
            "RedrivePolicy": json.dumps(redrive),
            "Policy": json.dumps(_admit(topic_arn, arn(topic_arn, queue))),
        },
    )
    return arn(topic_arn, queue)


def _admit(topic_arn: str, queue_arn: str) -> dict[str, Any]:
    """Return a policy by which SNS may send to a queue, on behalf of one topic."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def url(sqs: Any, queue: str) -> str:
    return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])


def arn(topic_arn: str, queue: str) -> str:
    """Return the ARN of a queue in the account and region of a topic."""
    _, partition, _, region, account, _ = topic_arn.split(":")
    return f"arn:{partition}:sqs:{region}:{account}:{queue}"
