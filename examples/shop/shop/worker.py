"""How a service works through its queue.

A service may be stopped, or die, at any moment, and so may the queue: an order that was not deleted comes back after
the visibility timeout. So an order may come twice, and each service sees to it that the second time changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shop import queues
from shop.order import Order

RETRY_AFTER_SECONDS = 1
LONG_POLL_SECONDS = 20
SERVER_ERROR = 500


def serve(service: str, handle: Callable[[Order], str]) -> None:
    """Give each order in the service's queue to `handle`, which says what it did, or raises to be tried again."""
    # Three attempts, a moment apart; the default makes five, and may sleep for long after the queue is back.
    sqs = boto3.client("sqs", config=Config(retries={"mode": "standard"}))
    queue = queues.url(sqs, queues.name(service))
    print("ready")
    while True:
        try:
            _work(sqs, queue, handle)
        except (BotoCoreError, ClientError) as error:
            if not _is_outage(error):
                raise
            print("cannot reach the queue, and keeps trying")
            time.sleep(RETRY_AFTER_SECONDS)


def _work(sqs: Any, queue: str, handle: Callable[[Order], str]) -> None:
    """Handle what is in the queue, or comes while we wait."""
    answer = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=LONG_POLL_SECONDS,
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )
    for message in answer.get("Messages", []):
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


def _is_outage(error: BotoCoreError | ClientError) -> bool:
    """Whether SQS could not be reached, or could not answer; what it refuses, it will refuse again."""
    return not isinstance(error, ClientError) or error.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR
