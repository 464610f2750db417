"""From a request to the message that is kept and delivered: API reference, Publish and PublishBatch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from cloudlet.core.aws import utf8
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.sns import attribute_check, errors, limits, tracing
from cloudlet.services.sns.message import Attribute, Message
from cloudlet.services.sns.topic_record import Topic

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_TOKEN: Final = re.compile(r"[!-~]{1,128}")
_NO_ATTRIBUTES: Final[dict[str, Attribute]] = {}


def to_topic(params: Mapping[str, Any], topic: Topic, now: int, trace: str | None) -> Message:
    """Return the message that a Publish to a topic, or an entry of a batch, describes. `now` is in milliseconds.

    `trace` is the request's trace header. Raises AwsError.
    """
    bodies, attributes = _contents(params, topic.maximum_message_bytes)
    group, deduplication = params.get("MessageGroupId"), params.get("MessageDeduplicationId")
    check_order(topic, params)
    if group is not None or deduplication is not None or topic.fifo:
        deduplication = _addressed(topic, bodies, group, deduplication)
    return Message(
        uuid4(),
        topic.arn,
        now,
        _subject(params),
        bodies,
        attributes,
        group=group,
        deduplication=deduplication,
        trace=trace,
        traced=tracing.is_active(topic, trace),
    )


def to_target(params: Mapping[str, Any], now: int) -> Message:
    """Return the message that is published to an endpoint or a phone number directly. Raises AwsError."""
    bodies, attributes = _contents(params, limits.MESSAGE_BYTES)
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if params.get(name) is not None:
            raise errors.invalid_parameter(name, "The request includes a parameter that is valid for topics only.")
    return Message(uuid4(), "", now, _subject(params), bodies, attributes)


def size_of(message: Message, text: str) -> int:
    """Return the bytes of a message whose Message parameter was `text`: with its attributes."""
    return utf8.size(text) + attribute_check.size(message.attributes)


def _contents(params: Mapping[str, Any], most: int) -> tuple[dict[str, str], dict[str, Attribute]]:
    text: str = params["Message"]
    if not text:
        raise errors.invalid_parameter("Empty message")
    size = utf8.size(text)
    attributes = _NO_ATTRIBUTES
    given = params.get("MessageAttributes")
    if given:
        attributes = attribute_check.checked(given)
        size += attribute_check.size(attributes)
    if size > most:
        raise errors.invalid_parameter("Message too long")
    structure = params.get("MessageStructure")
    if structure is None:
        return {"default": text}, attributes
    if structure != "json":
        raise errors.invalid_parameter("MessageStructure", "Valid value: json")
    return _by_protocol(text), attributes


def _by_protocol(text: str) -> dict[str, str]:
    """Return the text for each protocol, of a message with MessageStructure json."""
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise errors.invalid_parameter("Message Structure - JSON message body failed to parse")
    bodies = {protocol: body for protocol, body in value.items() if isinstance(body, str) and _is_text(protocol, body)}
    if "default" not in bodies:
        raise errors.invalid_parameter("Message Structure - No default entry in JSON message body")
    return bodies


def _is_text(*texts: str) -> bool:
    """Whether strings of a JSON document are text: half of a surrogate pair, which JSON can express, is none."""
    return all(text.isascii() or not _SURROGATE.search(text) for text in texts)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Raises ValueError for one that has a key twice."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("duplicate keys")
    return value


def _subject(params: Mapping[str, Any]) -> str | None:
    subject: str | None = params.get("Subject")
    if subject is not None and (
        not subject or len(subject) > limits.SUBJECT_CHARACTERS or _CONTROL.search(subject) is not None
    ):
        raise errors.invalid_parameter("Subject")
    return subject


def check_order(topic: Topic, params: Mapping[str, Any]) -> None:
    """Raise AwsError unless a message to a FIFO topic has a group, and a deduplication id or one of its content."""
    if not topic.fifo:
        return
    if params.get("MessageGroupId") is None:
        raise errors.invalid_parameter("The MessageGroupId parameter is required for FIFO topics")
    if params.get("MessageDeduplicationId") is None and topic.attributes.get("ContentBasedDeduplication") != "true":
        raise errors.invalid_parameter(
            "The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )


def _addressed(topic: Topic, bodies: dict[str, str], group: str | None, deduplication: str | None) -> str | None:
    """Check where in the order of a FIFO topic a message belongs; return its deduplication id."""
    if group is not None and not _TOKEN.fullmatch(group):
        raise errors.invalid_parameter(
            "MessageGroupId",
            "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length",
        )
    if not topic.fifo:
        if deduplication is not None:
            raise errors.invalid_parameter(
                "MessageDeduplicationId",
                "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
            )
        return None
    if deduplication is None:
        text = bodies["default"] if len(bodies) == 1 else msgspec.json.encode(bodies, order="sorted").decode()
        return sha256(text.encode(), usedforsecurity=False).hexdigest()
    if not _TOKEN.fullmatch(deduplication):
        raise errors.invalid_parameter(
            "MessageDeduplicationId",
            "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length",
        )
    return deduplication
