"""A message: from a request to its stored form and back to a receiver."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from cloudlet.core.ids import uuid4
from cloudlet.services.sqs import digests, errors, limits, message_attributes
from cloudlet.services.sqs.queue import Queue

_SEQUENCE_BASE, _SEQUENCE_STEP = 18_850_000_000_000_000_000, 256
"""SequenceNumbers are large and not consecutive (API reference, SendMessage): 20 digits, as those of AWS."""


class Message(msgspec.Struct, array_like=True, omit_defaults=True):
    """A message as it is stored; times are in milliseconds since the epoch."""

    id: str
    body: str
    md5: str
    sender: str
    sent: int
    group: str | None = None
    attributes: dict[str, dict[str, Any]] | None = None
    attributes_md5: str | None = None
    trace: str | None = None
    dedup: str | None = None
    due: int = 0
    """When its delay ends; 0 for a message that was not delayed."""
    source: str | None = None
    """ARN of the queue that gave it up to this dead-letter queue."""
    receives: int = 0
    """How often it was received from queues it was in before."""


class State(msgspec.Struct, array_like=True, omit_defaults=True):
    """What changes about a message; times are in milliseconds since the epoch."""

    receives: int = 0
    first: int = 0
    """When it was first received."""
    nonce: bytes = b""
    """Tells the latest delivery from those before."""
    received: int = 0
    due: int = 0
    """When it becomes visible again."""
    sent: int = 0
    group: str | None = None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Message).decode
_decode_state = msgspec.msgpack.Decoder(State).decode


def state_of(raw: bytes) -> State:
    """Return a stored state; that of a message never received is empty."""
    return _decode_state(raw) if raw else State()


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
    body: str = entry["MessageBody"]
    size = len(body) if body.isascii() else len(body.encode(errors="surrogatepass"))
    attributes = entry.get("MessageAttributes")
    return size + message_attributes.size(attributes) if attributes else size


def _address(queue: Queue, message: Message, params: Mapping[str, Any], raw: bytes) -> None:
    """Set the message's group and deduplication id."""
    group = params.get("MessageGroupId")
    if group is not None:
        limits.check_token("MessageGroupId", group)
        message.group = group
    dedup = params.get("MessageDeduplicationId")
    if queue.fifo:
        if group is None:
            raise errors.missing("MessageGroupId")
        if dedup is not None:
            limits.check_token("MessageDeduplicationId", dedup)
            message.dedup = dedup
        elif queue.deduplicates_content:
            message.dedup = sha256(raw, usedforsecurity=False).hexdigest()
        else:
            raise errors.invalid_parameter(
                "The queue should either have ContentBasedDeduplication enabled or "
                "MessageDeduplicationId provided explicitly"
            )
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


def sequence_number(seq: int) -> str:
    """Return the SequenceNumber of the message in this place of a FIFO queue."""
    return str(_SEQUENCE_BASE + seq * _SEQUENCE_STEP)


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
