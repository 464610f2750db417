"""Destinations of records of what failed: queues, topics and buckets.

Developer guide, "Capturing records of Lambda asynchronous invocations" and "Retain discarded batch records for a
DynamoDB event source in Lambda".
"""

from __future__ import annotations

from time import gmtime, strftime
from typing import Any

from cloudlet.core import Arn
from cloudlet.core.aws.messages import make_send_call
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4


def call_of(block: Block, target: Arn, record: bytes, folder: str) -> tuple[str, dict[str, Any]]:
    """Return the operation that gives a record to a destination, and its parameters.

    `folder` is where in a bucket what it is about has its records.
    """
    if target.service != "s3":
        return make_send_call(block, target, record.decode("utf-8", "replace"))
    moment = strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S", gmtime(block.clock.now()))
    key = f"aws/lambda/{folder}/{moment}-{uuid4()}"
    return "PutObject", {"Bucket": target.resource, "Key": key, "Body": record}
