"""A message as a receiver is shown it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cloudlet.services.sqs import digests, message_attributes
from cloudlet.services.sqs.messages import Message, State, sequence_number
from cloudlet.services.sqs.queue import Queue


def rendered(
    queue: Queue,
    place: bytes,
    message: Message,
    state: State,
    handle: str,
    system: Collection[str],
    names: Collection[str],
) -> dict[str, Any]:
    """Return a message as ReceiveMessage answers it, with the attributes that were asked for."""
    result: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "MD5OfBody": message.md5,
        "Body": message.body,
    }
    if system:
        values = _system_attributes(queue, place, message, state)
        result["Attributes"] = (
            values if "All" in system else {name: value for name, value in values.items() if name in system}
        )
    if names and message.attributes:
        chosen = message_attributes.selected(message.attributes, names)
        if chosen:
            result["MessageAttributes"] = chosen
            result["MD5OfMessageAttributes"] = (
                message.attributes_md5 if len(chosen) == len(message.attributes) else digests.of_attributes(chosen)
            )
    return result


def _system_attributes(queue: Queue, place: bytes, message: Message, state: State) -> dict[str, str]:
    values = {
        "SenderId": message.sender,
        "SentTimestamp": str(message.sent),
        "ApproximateReceiveCount": str(message.receives + state.receives),
        "ApproximateFirstReceiveTimestamp": str(state.first),
    }
    if queue.fifo:
        values["SequenceNumber"] = sequence_number(int.from_bytes(place[1:], "big"))
        values["MessageDeduplicationId"] = message.dedup or ""
    if message.group is not None:
        values["MessageGroupId"] = message.group
    if message.trace is not None:
        values["AWSTraceHeader"] = message.trace
    if message.source is not None:
        values["DeadLetterQueueSourceArn"] = message.source
    return values
