"""Events on their way through a pipe."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple

import msgspec

Document = Any
"""JSON as plain values."""


class Event(NamedTuple):
    """One event of a batch."""

    id: str
    """The id by which the source knows it: what Lambda names where it fails; empty where an enrichment made it."""
    document: Document
    """As the enrichment or the target gets it."""
    handle: str = ""
    """The receipt handle, or the sequence number, by which the source is told that it is done."""
    at: float = 0.0
    """When the source got it, in seconds since the epoch."""

    @property
    def decoded(self) -> Document:
        """With the body of a message as JSON, where it is some, for filters and paths.

        User guide, "Amazon EventBridge Pipes input transformation", "Implicit body data parsing".
        """
        document = self.document
        if not isinstance(document, dict) or document.get("eventSource") != "aws:sqs":
            return document
        return {**document, "body": _decoded(document.get("body"))}


def _decoded(body: Any) -> Any:
    """Return a message's body as JSON where it is an object or an array."""
    if not isinstance(body, str) or not body.lstrip().startswith(("{", "[")):
        return body
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body


def of_message(message: dict[str, Any], queue: str, region: str) -> Event:
    """Return the event of a message that was received of a queue with an ARN."""
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
    sent = float(attributes.get("SentTimestamp") or 0) / 1000
    return Event(message["MessageId"], document, message["ReceiptHandle"], sent)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = b64encode(value["BinaryValue"]).decode()
    return shown


def of_record(record: dict[str, Any], stream: str) -> Event:
    """Return the event of a record of a table's stream."""
    document = _plain({**record, "eventSourceARN": stream})
    return Event(record["eventID"], document, record["dynamodb"]["SequenceNumber"], created(record))


def created(record: dict[str, Any]) -> float:
    """Return when a change was made, in seconds since the epoch."""
    return float(record["dynamodb"].get("ApproximateCreationDateTime") or 0)


def _plain(value: Any) -> Any:
    """Return what JSON can say: binary values in base64."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    return b64encode(value).decode() if isinstance(value, bytes) else value
