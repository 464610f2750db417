"""How a service works through its queue.

A service may be stopped, or die, at any moment: an order that it has not deleted from the queue comes back after the
visibility timeout. So an order may come twice, and each service sees to it that the second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3

from shop import queues
from shop.order import Order

RETRY_AFTER_SECONDS = 1
LONG_POLL_SECONDS = 20


def serve(service: str, handle: Callable[[Order], str]) -> None:
    """Give each order in the service's queue to `handle`, which says what it did, or raises to be tried again."""
    sqs = boto3.client("sqs")
    queue = queues.url(sqs, queues.name(service))
    print("ready")
    while True:
        # One at a time. A batch can hold several orders of one customer; those behind one that fails would have to go
        # back unhandled, and going back counts as a try: they could end in the dead letters through no fault of theirs.
        answer = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=LONG_POLL_SECONDS,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        for message in answer.get("Messages", []):
            _handle(sqs, queue, message, handle)


def _handle(sqs: Any, queue: str, message: dict[str, Any], handle: Callable[[Order], str]) -> None:
    receipt = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    try:
        order = Order.from_json(message["Body"])
        print(f"{order.id}: {handle(order)}")
    except Exception as error:
        attempt = message["Attributes"]["ApproximateReceiveCount"]
        print(f"failed, try {attempt} of {queues.TRIES}: {error}")
        sqs.change_message_visibility(**receipt, VisibilityTimeout=RETRY_AFTER_SECONDS)
    else:
        sqs.delete_message(**receipt)
