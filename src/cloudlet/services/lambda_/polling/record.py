"""Records on their way from an event source to a function. Developer guide, the examples of events of each source."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple

import msgspec


class Record(NamedTuple):
    """One record of a batch."""

    id: str
    """By which a function names it where it has failed: a message's id, a record's sequence number."""
    document: dict[str, Any]
    """As the function gets it."""
    size: int
    """How many bytes it takes in the event, roughly."""
    handle: str = ""
    """The receipt handle by which a message is deleted."""
    at: float = 0.0
    """When the source got it, in seconds since the epoch."""


def event_of(batch: list[Record]) -> bytes:
    """Return the event that a function gets."""
    return msgspec.json.encode({"Records": [each.document for each in batch]})


def of_message(message: dict[str, Any], queue: str, region: str) -> Record:
    """Return the record of a message of a queue with an ARN."""
    attributes = message.get("MessageAttributes") or {}
    document = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes") or {},
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": region,
    }
    if message.get("MD5OfMessageAttributes"):
        document["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return Record(message["MessageId"], document, len(msgspec.json.encode(document)), message["ReceiptHandle"])


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = b64encode(value["BinaryValue"]).decode()
    return shown


def of_change(record: dict[str, Any], stream: str) -> Record:
    """Return the record of a change of a table, from its stream."""
    change = record["dynamodb"]
    document = _plain({**record, "eventSourceARN": stream})
    size = len(msgspec.json.encode(document))
    at = float(change.get("ApproximateCreationDateTime") or 0)
    return Record(change["SequenceNumber"], document, size, at=at)


def _plain(value: Any) -> Any:
    """Return what JSON can say: binary values in base64."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    return b64encode(value).decode() if isinstance(value, bytes) else value
