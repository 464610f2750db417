"""Records on their way from a source. Developer guide of Lambda, the examples of events of each source."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple

import msgspec


class Record(NamedTuple):
    """One record of a batch."""

    id: str
    """The id that the source gave it: of a message, or of the event of a change."""
    document: Any
    """As functions and other targets get it."""
    size: int = 0
    """How many bytes it takes there."""
    handle: str = ""
    """The receipt handle, or the sequence number, by which the source is told that it is done."""
    at: float = 0.0
    """When the source got it, in seconds since the epoch."""


def from_message(message: dict[str, Any], queue: str, region: str) -> Record:
    """Return the record of a message of a queue with an ARN."""
    attributes = message.get("Attributes") or {}
    document = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": attributes,
        "messageAttributes": {
            name: _attribute(value) for name, value in (message.get("MessageAttributes") or {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": region,
    }
    if message.get("MD5OfMessageAttributes"):
        document["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    sent = float(attributes.get("SentTimestamp") or 0) / 1000
    return Record(message["MessageId"], document, len(msgspec.json.encode(document)), message["ReceiptHandle"], sent)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = b64encode(value["BinaryValue"]).decode()
    return shown


def from_change(change: dict[str, Any], stream: str) -> Record:
    """Return the record of a change of a table, from its stream."""
    document = _plain({**change, "eventSourceARN": stream})
    identity = change.get("userIdentity")
    if identity is not None:
        # Events write it otherwise than the stream's API does.
        document["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    details = document["dynamodb"]
    at = float(details.get("ApproximateCreationDateTime") or 0)
    if at:
        details["ApproximateCreationDateTime"] = at
    return Record(change["eventID"], document, len(msgspec.json.encode(document)), details["SequenceNumber"], at)


def _plain(value: Any) -> Any:
    """Return what JSON can say: binary values in base64."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    return b64encode(value).decode() if isinstance(value, bytes) else value


def size(batch: list[Record]) -> int:
    """Return how many bytes records take as a JSON array."""
    return sum(each.size + 1 for each in batch)
