"""The shop's queues: one for each service that follows up on orders, and one for the orders it cannot handle."""

from __future__ import annotations

import json
from typing import Any

SERVICES = ("payments", "inventory", "email")
TRIES = 3
"""How often a service tries an order before it goes to the dead letters."""

_FORTNIGHT_SECONDS = 14 * 24 * 3600


def name(service: str) -> str:
    return f"shop-{service}.fifo"


def dead_letters_name(service: str) -> str:
    return f"shop-{service}-dead-letters.fifo"


def create(sqs: Any, service: str) -> None:
    """Create the two queues of a service. Creating what is there already, as it is, changes nothing."""
    dead_letters = sqs.create_queue(
        QueueName=dead_letters_name(service),
        Attributes={"FifoQueue": "true", "MessageRetentionPeriod": str(_FORTNIGHT_SECONDS)},
    )["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn(sqs, dead_letters), "maxReceiveCount": TRIES}
    sqs.create_queue(
        QueueName=name(service),
        Attributes={"FifoQueue": "true", "VisibilityTimeout": "30", "RedrivePolicy": json.dumps(redrive)},
    )


def url(sqs: Any, queue: str) -> str:
    return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])


def arn(sqs: Any, queue_url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])
