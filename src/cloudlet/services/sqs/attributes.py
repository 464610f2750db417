"""Queue attributes: what may be set, what they default to, and what a queue shows.

API reference, CreateQueue, SetQueueAttributes and GetQueueAttributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudlet.core import AwsError, Transaction
from cloudlet.services.sqs import access, contents, errors, limits, redrive
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queue_record import QueueRecord

_NUMBER = re.compile(r"[0-9]{1,20}")
_RANGES = {
    "DelaySeconds": (0, limits.DELAY_SECONDS),
    "MaximumMessageSize": (1024, limits.MESSAGE_BYTES),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, limits.WAIT_SECONDS),
    "VisibilityTimeout": (0, limits.VISIBILITY_SECONDS),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_CHOICES = {
    "FifoQueue": ("true",),
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
    "SqsManagedSseEnabled": ("true", "false"),
}
_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": str(limits.MESSAGE_BYTES),
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
_FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
_TEXTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
"""Setting one of these to nothing removes it."""
_READ_ONLY = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
_KEY_BYTES = 2048


async def changed(
    tx: Transaction, record: QueueRecord, changes: Mapping[str, str], *, creating: bool = False
) -> dict[str, str]:
    """Return a queue's attributes after a change. Raises AwsError for what AWS does not admit."""
    fifo = record.name.endswith(".fifo")
    attributes = dict(record.attributes)
    for name, value in changes.items():
        if name in _READ_ONLY or name == "All" or (name in _FIFO_DEFAULTS and not fifo):
            raise errors.unknown_attribute(name)
        if name == "FifoQueue" and value.lower() != "true" and not creating:
            raise AwsError(
                "InvalidAttributeValue",
                "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
            )
        if value == "" and name in _TEXTS:
            attributes.pop(name, None)
        else:
            attributes[name] = await _checked(tx, record, name, value)
    _settle_encryption(attributes, changes)
    if (
        attributes.get("FifoThroughputLimit") == "perMessageGroupId"
        and attributes.get("DeduplicationScope") != "messageGroup"
    ):
        raise AwsError(
            "InvalidAttributeValue",
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.",
        )
    return attributes


async def _checked(tx: Transaction, record: QueueRecord, name: str, value: str) -> str:
    """Return an attribute's value as it is stored."""
    if name in _RANGES:
        low, high = _RANGES[name]
        if not _NUMBER.fullmatch(value) or not low <= int(value) <= high:
            raise errors.invalid_attribute(name)
        return str(int(value))
    if name in _CHOICES:
        # Programs write booleans as their languages do.
        chosen = value.lower() if "true" in _CHOICES[name] else value
        if chosen not in _CHOICES[name]:
            raise errors.invalid_attribute(name)
        return chosen
    if name == "RedrivePolicy":
        return await redrive.checked_policy(tx, value, record)
    if name == "RedriveAllowPolicy":
        return redrive.checked_allow_policy(value)
    if name == "Policy":
        return access.checked_policy(value)
    if name == "KmsMasterKeyId":
        if len(value) > _KEY_BYTES:
            raise errors.invalid_attribute(name)
        return value
    raise errors.unknown_attribute(name)


def _settle_encryption(attributes: dict[str, str], changes: Mapping[str, str]) -> None:
    """Keep one kind of server-side encryption: the one that was asked for last turns the other off."""
    is_managed = changes.get("SqsManagedSseEnabled", "").lower() == "true"
    if changes.get("KmsMasterKeyId") and is_managed:
        raise AwsError(
            "InvalidAttributeValue",
            "You can use one type of server-side encryption (SSE) at one time. "
            "You can either enable KMS SSE or SQS SSE.",
        )
    if changes.get("KmsMasterKeyId"):
        attributes["SqsManagedSseEnabled"] = "false"
    elif is_managed:
        attributes.pop("KmsMasterKeyId", None)


def check_same(queue: Queue, attributes: Mapping[str, str]) -> None:
    """Raise unless a queue that exists has all the (checked) attributes that CreateQueue asks for."""
    shown = _settings(queue)
    for name, value in attributes.items():
        if shown.get(name) != value:
            raise AwsError(
                "QueueNameExists",
                f"A queue already exists with the same name and a different value for attribute {name}",
            )


def _settings(queue: Queue) -> dict[str, str]:
    """Return what can be set, with its defaults."""
    settings = {**_DEFAULTS, **(_FIFO_DEFAULTS if queue.fifo else {}), **queue.record.attributes}
    if "KmsMasterKeyId" in settings:
        settings.setdefault("KmsDataKeyReusePeriodSeconds", "300")
    return settings


async def shown(tx: Transaction, queue: Queue, names: list[str]) -> dict[str, str]:
    """Return the attributes that GetQueueAttributes asks for."""
    if not names:
        return {}
    record = queue.record
    in_flight = await tx.counter(queue.in_flight_count)
    delayed = await tx.counter(queue.delayed_count)
    values = {
        "QueueArn": queue.arn,
        "ApproximateNumberOfMessages": str(await contents.visible_count(tx, queue)),
        "ApproximateNumberOfMessagesNotVisible": str(in_flight),
        "ApproximateNumberOfMessagesDelayed": str(delayed),
        "CreatedTimestamp": str(record.created),
        "LastModifiedTimestamp": str(record.modified),
        **_settings(queue),
    }
    if "All" in names:
        return values
    for name in names:
        if name in _FIFO_DEFAULTS and not queue.fifo:
            raise errors.unknown_attribute(name)
    return {name: values[name] for name in names if name in values}
