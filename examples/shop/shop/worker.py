"""How a service works through its queue.

A service may be stopped, or die, at any moment, and so may the queue: a message that was not deleted comes back after
the visibility timeout. So a message may come twice, and each service sees to it that the second time changes nothing.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3

from shop import names, queues, trace
from shop.order import Order
from shop.patience import FEW_TRIES, RETRY_AFTER_SECONDS, end_when_told, keep_at_it

LONG_POLL_SECONDS = 20
TIMEOUT_SECONDS = 10


def serve_orders(service: str, handle: Callable[[Order], str]) -> None:
    """Give each order in the service's queue to `handle`, which says what it did, and tell `$SHOP_ORDERS`, a URL."""
    orders = os.environ["SHOP_ORDERS"]

    def handle_order(text: str) -> None:
        order = Order.from_json(text)
        print(f"{order.id}: {handle(order)}")
        report = urllib.request.Request(
            f"{orders}/orders/{order.id}/done/{service}", method="PUT", headers=trace.headers()
        )
        with urllib.request.urlopen(report, timeout=TIMEOUT_SECONDS):
            pass

    serve(service, handle_order)


def serve(service: str, handle: Callable[[str], None]) -> None:
    """Give each message in the service's queue to `handle`, which raises where it is to be tried again."""
    end_when_told()
    sqs = boto3.client("sqs", config=FEW_TRIES)
    queue = queues.url(sqs, names.queue(service))
    print("ready")
    keep_at_it(partial(_work, service, sqs, queue, handle), "the queue")


def _work(service: str, sqs: Any, queue: str, handle: Callable[[str], None]) -> None:
    """Handle what is in the queue, or comes while we wait."""
    answer = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=LONG_POLL_SECONDS,
        MessageSystemAttributeNames=["ApproximateReceiveCount", "AWSTraceHeader"],
    )
    for message in answer.get("Messages", []):
        receipt = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
        try:
            with trace.segment(service, message["Attributes"].get("AWSTraceHeader")):
                handle(message["Body"])
        except Exception as error:
            attempt = message["Attributes"]["ApproximateReceiveCount"]
            print(f"failed, try {attempt} of {names.TRIES}: {error}")
            sqs.change_message_visibility(**receipt, VisibilityTimeout=RETRY_AFTER_SECONDS)
        else:
            sqs.delete_message(**receipt)
