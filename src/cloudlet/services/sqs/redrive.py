"""Dead-letter queues: the RedrivePolicy of a source queue and the RedriveAllowPolicy of its target.

Developer Guide, "Using dead-letter queues in Amazon SQS"; API reference, SetQueueAttributes.
"""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core import Arn, Transaction
from cloudlet.services.sqs import directory, errors
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queue_record import QueueRecord

_POLICY_KEYS = ["deadLetterTargetArn", "maxReceiveCount"]
_ALLOW_KEYS = ["redrivePermission", "sourceQueueArns"]
_PERMISSIONS = ("allowAll", "denyAll", "byQueue")
_RECEIVES = (1, 1000)
_SOURCES = 10
_ARN_CHARACTERS = 256
"""More than any queue's."""


async def checked_policy(tx: Transaction, text: str, source: QueueRecord) -> str:
    """Return the RedrivePolicy to store for a queue that is to have it. Raises AwsError."""
    policy = _object("RedrivePolicy", text, "Redrive policy", _POLICY_KEYS)
    for key in _POLICY_KEYS:
        if key not in policy:
            raise errors.invalid_value(
                "RedrivePolicy", text, f"Redrive policy does not contain mandatory attribute: {key}."
            )
    receives = _integer(policy["maxReceiveCount"])
    if receives is None or not _RECEIVES[0] <= receives <= _RECEIVES[1]:
        raise errors.invalid_value(
            "RedrivePolicy",
            text,
            f"Invalid value for maxReceiveCount: {policy['maxReceiveCount']}, valid values are from 1 to 1000 both "
            "inclusive.",
        )
    arn = str(policy["deadLetterTargetArn"])
    target = await directory.by_arn(tx, arn)
    if target is None or (target.record.account, target.record.region) != (source.account, source.region):
        raise errors.invalid_value("RedrivePolicy", text, "Dead letter target does not exist.")
    if target.fifo != source.name.endswith(".fifo"):
        raise errors.invalid_value("RedrivePolicy", text, "Dead-letter queue must be same type of queue as the source.")
    if not allows(target, source):
        raise errors.invalid_value(
            "RedrivePolicy",
            text,
            f"Queue {source.name} does not have permission to use {target.record.name} as a dead letter queue.",
        )
    return json.dumps({"deadLetterTargetArn": target.arn, "maxReceiveCount": receives}, separators=(",", ":"))


def allows(target: Queue, source: QueueRecord) -> bool:
    """Whether a dead-letter queue's RedriveAllowPolicy lets a queue send its dead letters there."""
    policy = json.loads(target.record.attributes.get("RedriveAllowPolicy", "{}"))
    permission = policy.get("redrivePermission", "allowAll")
    if permission == "byQueue":
        return any(_names(arn, source) for arn in policy.get("sourceQueueArns", ()))
    return bool(permission == "allowAll")


def _names(text: str, queue: QueueRecord) -> bool:
    arn = Arn.parse(text)
    return (arn.region, arn.account, arn.resource) == (queue.region, queue.account, queue.name)


def checked_allow_policy(text: str) -> str:
    """Return the RedriveAllowPolicy to store. Raises AwsError."""
    policy = _object("RedriveAllowPolicy", text, "Redrive allow policy", _ALLOW_KEYS)
    permission = policy.get("redrivePermission")
    if permission is None:
        raise errors.invalid_value(
            "RedriveAllowPolicy", text, "Redrive allow policy does not contain mandatory attribute: redrivePermission."
        )
    if permission not in _PERMISSIONS:
        raise errors.invalid_value(
            "RedriveAllowPolicy",
            text,
            f"Invalid value for redrivePermission: {permission}, valid values are [{', '.join(_PERMISSIONS)}].",
        )
    sources = policy.get("sourceQueueArns")
    if permission != "byQueue":
        if sources is not None:
            raise errors.invalid_value(
                "RedriveAllowPolicy", text, "sourceQueueArns can be specified only when redrivePermission is byQueue."
            )
        return json.dumps(policy, separators=(",", ":"))
    if not isinstance(sources, list) or not 1 <= len(sources) <= _SOURCES:
        raise errors.invalid_value("RedriveAllowPolicy", text, f"sourceQueueArns must have 1 to {_SOURCES} queue ARNs.")
    for source in sources:
        if not _is_queue_arn(source):
            raise errors.invalid_value("RedriveAllowPolicy", text, f"Invalid value for sourceQueueArns: {source}.")
    return json.dumps(policy, separators=(",", ":"))


def _is_queue_arn(text: Any) -> bool:
    try:
        return len(str(text)) <= _ARN_CHARACTERS and Arn.parse(str(text)).service == "sqs"
    except ValueError:
        return False


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None


def _object(name: str, text: str, title: str, keys: list[str]) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise errors.invalid_value(name, text, f"{title} is not a valid JSON map.")
    if any(key not in keys for key in value):
        raise errors.invalid_value(name, text, f"Only following attributes are supported: [{', '.join(keys)}].")
    return value
