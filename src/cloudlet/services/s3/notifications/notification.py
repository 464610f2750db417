"""Event notifications: which events a bucket tells to whom.

User guide, "Amazon S3 Event Notifications" ("Event types and destinations", "Configuring event notifications using
object key name filtering").
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote_plus

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.s3.buckets.bucket_record import Bucket

KIND = "notification"
Channel = Literal["sqs", "sns", "lambda", "events"]
"""The service, as botocore names it, through which somebody is told."""

_MEMBERS: tuple[tuple[str, str, Channel], ...] = (
    ("QueueConfigurations", "QueueArn", "sqs"),
    ("TopicConfigurations", "TopicArn", "sns"),
    ("LambdaFunctionConfigurations", "LambdaFunctionArn", "lambda"),
)


class Destination(NamedTuple):
    """Who is told of some events. EventBridge, which is told of all, has no ARN and no filters."""

    channel: Channel
    arn: str
    id: str = ""
    events: tuple[str, ...] = ("s3:*",)
    prefix: str = ""
    suffix: str = ""

    def wants(self, name: str, key: str) -> bool:
        """Whether it is to be told of an event, such as "ObjectCreated:Put", of an object."""
        return key.startswith(self.prefix) and key.endswith(self.suffix) and any(map(_matcher(name), self.events))


def _matcher(name: str) -> Any:
    full = f"s3:{name}"

    def matches(event: str) -> bool:
        return full.startswith(event[:-1]) if event.endswith("*") else full == event

    return matches


def destinations(configuration: Mapping[str, Any]) -> tuple[Destination, ...]:
    """Return who is to be told, as a notification configuration says."""
    found = [
        Destination(
            channel, each[arn], each.get("Id") or "", tuple(each["Events"]), *_affixes(each.get("Filter") or {})
        )
        for member, arn, channel in _MEMBERS
        for each in configuration.get(member) or ()
    ]
    if configuration.get("EventBridgeConfiguration") is not None:
        found.append(Destination("events", ""))
    return tuple(found)


def _affixes(chosen: Mapping[str, Any]) -> tuple[str, str]:
    rules = (chosen.get("Key") or {}).get("FilterRules") or ()
    values = {rule["Name"].lower(): affix(rule) for rule in rules}
    return values.get("prefix", ""), values.get("suffix", "")


def affix(rule: Mapping[str, Any]) -> str:
    """Return what keys begin or end with that a filter's rule admits: it is written as in a URL, a space as a plus."""
    return unquote_plus(rule.get("Value") or "")


@lru_cache(256)
def _destinations(raw: bytes) -> tuple[Destination, ...]:
    return destinations(msgspec.msgpack.decode(raw))


async def of_bucket(tx: Transaction, bucket: Bucket) -> tuple[Destination, ...]:
    """Return who is to be told of events in a bucket."""
    raw = await tx.get(bucket.configurations.key(KIND)) if KIND in bucket.kinds else None
    return () if raw is None else _destinations(raw)
