"""A message as a request describes it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cloudlet.core.aws import utf8
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.sqs import digests, errors, limits, message_attributes
from cloudlet.services.sqs.messages import Message
from cloudlet.services.sqs.queue import Queue


def compose(
    queue: Queue, params: Mapping[str, Any], sender: str, now: float, trace: str | None = None
) -> tuple[Message, str | None]:
    """Return the message that a SendMessage request or a batch's entry describes, and the MD5 of its system attributes.

    `trace` is the request's trace header; the attribute AWSTraceHeader takes its place where there is one (X-Ray
    developer guide, "Amazon SQS and AWS X-Ray"). Raises AwsError.
    """
    body: str = params["MessageBody"]
    if not body:
        raise errors.missing("MessageBody")
    character = limits.forbidden_character(body)
    if character is not None:
        raise errors.invalid_contents(character)
    raw = body.encode()
    size = len(raw)
    message = Message(uuid4(), body, digests.of_body(raw), sender, int(now * 1000), trace=trace)
    if params.get("MessageAttributes"):
        message.attributes = message_attributes.checked(params["MessageAttributes"])
        message.attributes_md5 = digests.of_attributes(message.attributes)
        size += message_attributes.size(message.attributes)
    if size > queue.max_message_bytes:
        raise errors.too_long(queue.max_message_bytes)
    system_md5 = None
    if params.get("MessageSystemAttributes"):
        system = message_attributes.checked_system(params["MessageSystemAttributes"])
        system_md5 = digests.of_attributes(system)
        message.trace = str(system["AWSTraceHeader"]["StringValue"])
    if queue.fifo or "MessageGroupId" in params or "MessageDeduplicationId" in params:
        _address(queue, message, params, raw)
    if queue.delay or "DelaySeconds" in params:
        _delay(queue, message, params)
    return message, system_md5


def size_of(entry: Mapping[str, Any]) -> int:
    """Return the bytes that an entry of a batch counts for: its body and its message attributes."""
    size = utf8.size(entry["MessageBody"])
    attributes = entry.get("MessageAttributes")
    return size + message_attributes.size(attributes) if attributes else size


def check_ids(queue: Queue, params: Mapping[str, Any]) -> None:
    """Raise AwsError unless a message has the group and the deduplication id that its queue asks for."""
    if not queue.fifo:
        return
    if params.get("MessageGroupId") is None:
        raise errors.missing("MessageGroupId")
    if params.get("MessageDeduplicationId") is None and not queue.deduplicates_content:
        raise errors.invalid_parameter(
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )


def _address(queue: Queue, message: Message, params: Mapping[str, Any], raw: bytes) -> None:
    """Set the message's group and deduplication id."""
    check_ids(queue, params)
    group = params.get("MessageGroupId")
    if group is not None:
        limits.check_token("MessageGroupId", group)
        message.group = group
    dedup = params.get("MessageDeduplicationId")
    if queue.fifo:
        if dedup is not None:
            limits.check_token("MessageDeduplicationId", dedup)
            message.dedup = dedup
        else:
            message.dedup = sha256(raw, usedforsecurity=False).hexdigest()
    elif dedup is not None:
        raise errors.wrong_queue_type("MessageDeduplicationId", dedup)


def _delay(queue: Queue, message: Message, params: Mapping[str, Any]) -> None:
    """Set when the message's delay ends. On FIFO queues the queue's delay alone counts."""
    seconds = params.get("DelaySeconds")
    if seconds is not None:
        if not 0 <= seconds <= limits.DELAY_SECONDS:
            raise errors.invalid_value(
                "DelaySeconds", seconds, f"DelaySeconds must be >= 0 and <= {limits.DELAY_SECONDS}."
            )
        if queue.fifo and seconds:
            raise errors.wrong_queue_type("DelaySeconds", seconds)
    delay = queue.delay if seconds is None or queue.fifo else seconds * 1000
    if delay:
        message.due = message.sent + delay
