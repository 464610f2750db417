"""Texts for queues and topics: how a block gives one to whichever an ARN names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.aws.arn import Arn

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block


def queue_url(block: Block, queue: Arn) -> str:
    """Return the URL of a queue."""
    return f"{block.cloud.config.endpoint}/{queue.account}/{queue.resource}"


def make_send_call(
    block: Block, target: Arn, text: str, attributes: Mapping[str, str | int] | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the operation that gives a text, with attributes, to a queue or a topic, and its parameters."""
    params: dict[str, Any]
    if target.service == "sqs":
        operation, params = "SendMessage", {"QueueUrl": queue_url(block, target), "MessageBody": text}
    else:
        operation, params = "Publish", {"TopicArn": str(target), "Message": text}
    if attributes:
        params["MessageAttributes"] = {
            name: {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}
            for name, value in attributes.items()
        }
    return operation, params
