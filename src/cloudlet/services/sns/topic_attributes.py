"""Topic attributes: what may be set, what they default to, and what a topic shows.

API reference, CreateTopic, SetTopicAttributes and GetTopicAttributes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.services.sns import access, delivery_policy, errors, limits, subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.wire.timestamps import milliseconds

_CHOICES = {
    "ContentBasedDeduplication": ("true", "false"),
    "FifoThroughputScope": ("Topic", "MessageGroup"),
    "SignatureVersion": ("1", "2"),
}
_FIFO_ONLY = ("ArchivePolicy", "ContentBasedDeduplication", "FifoThroughputScope")
_TEXTS = ("Policy", "DeliveryPolicy", "KmsMasterKeyId", "ArchivePolicy")
"""Setting one of these to nothing removes it."""
_FEEDBACK = tuple(
    f"{protocol}{kind}"
    for protocol in ("Application", "Firehose", "HTTP", "Lambda", "SQS")
    for kind in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
)
_SETTABLE = frozenset(
    (*_CHOICES, *_FIFO_ONLY, *_TEXTS, *_FEEDBACK, "DisplayName", "MaximumMessageSize", "TracingConfig")
)
_KEY_BYTES = 2_048
_DAY_SECONDS = 86_400
ARCHIVED_SINCE = "BeginningArchiveTime"
"""Kept beside the ArchivePolicy: since when messages have been archived, in milliseconds since the epoch."""


def created(name: str, wanted: Mapping[str, str], arn: str, now: float) -> dict[str, str]:
    """Return the attributes of a new topic. Raises AwsError for what AWS does not admit."""
    fifo = wanted.get("FifoTopic", "false")
    if fifo not in ("true", "false"):
        raise errors.invalid_parameter("Attributes", f"FifoTopic: Invalid value [{fifo}]. Must be true or false.")
    limits.check_topic_name(name, fifo=fifo == "true")
    attributes: dict[str, str] = {}
    for key, value in wanted.items():
        if key == "FifoTopic":
            continue
        if key not in _SETTABLE:
            raise errors.invalid_parameter("Attributes", f"Unknown attribute {key}")
        try:
            attributes = changed(attributes, key, value, arn, now)
        except AwsError as error:
            raise errors.in_attributes(error) from error
    return attributes


def changed(attributes: Mapping[str, str], name: str, value: str, arn: str, now: float) -> dict[str, str]:
    """Return a topic's attributes with one of them set. Raises AwsError for what AWS does not admit."""
    if name not in _SETTABLE:
        raise errors.invalid_parameter("AttributeName")
    if name in _FIFO_ONLY and not arn.endswith(".fifo"):
        raise errors.invalid_parameter(name, "This attribute is supported on FIFO topics only.")
    if len(value) > limits.POLICY_BYTES:
        raise errors.invalid_parameter(name, f"Must be at most {limits.POLICY_BYTES} characters long.")
    errors.check_characters(name, value)
    after = dict(attributes)
    # An archive is also given up by a policy of nothing.
    nothing = value == "" or (name == "ArchivePolicy" and value.strip() == "{}")
    if nothing and (name in _TEXTS or name in _FEEDBACK):
        after.pop(name, None)
    else:
        after[name] = _checked(name, value, arn)
    if name == "ArchivePolicy":
        if "ArchivePolicy" in after:
            after.setdefault(ARCHIVED_SINCE, str(int(now * 1000)))
        else:
            after.pop(ARCHIVED_SINCE, None)
    return after


def _checked(name: str, value: str, arn: str) -> str:
    """Return an attribute's value as it is stored."""
    if name in _CHOICES:
        folded = value.lower() if name == "ContentBasedDeduplication" else value
        if folded not in _CHOICES[name]:
            raise errors.invalid_parameter(
                name, f"Invalid value [{value}]. Must be one of {', '.join(_CHOICES[name])}."
            )
        return folded
    if name == "DisplayName":
        if len(value) > limits.DISPLAY_NAME_CHARACTERS:
            raise errors.invalid_parameter("DisplayName", "The display name is longer than 100 characters.")
        return value
    if name == "Policy":
        return access.checked_policy(value, arn)
    if name == "DeliveryPolicy":
        delivery_policy.check_topic_policy(value)
        return value
    if name == "KmsMasterKeyId":
        if len(value) > _KEY_BYTES:
            raise errors.invalid_parameter(name)
        return value
    if name == "MaximumMessageSize":
        if not _is_number(value, limits.SMALLEST_MAXIMUM_BYTES, limits.LARGEST_MESSAGE_BYTES):
            raise errors.invalid_parameter(
                name, f"Must be between {limits.SMALLEST_MAXIMUM_BYTES} and {limits.LARGEST_MESSAGE_BYTES}."
            )
        return str(int(value))
    if name == "TracingConfig":
        return _checked_tracing(value)
    if name == "ArchivePolicy":
        return _checked_archive_policy(value)
    return _checked_feedback(name, value)


def _checked_tracing(value: str) -> str:
    if value not in ("PassThrough", "Active"):
        raise errors.invalid_parameter("TracingConfig", f"Invalid value [{value}]. Must be one of PassThrough, Active.")
    return value


def _checked_archive_policy(value: str) -> str:
    try:
        policy = json.loads(value)
    except (ValueError, RecursionError):
        raise errors.invalid_parameter("ArchivePolicy", "ArchivePolicy: failed to parse JSON.") from None
    if not isinstance(policy, dict) or set(policy) != {"MessageRetentionPeriod"}:
        raise errors.invalid_parameter("ArchivePolicy", "ArchivePolicy must have MessageRetentionPeriod and no more.")
    if not _is_number(str(policy["MessageRetentionPeriod"]), 1, limits.ARCHIVE_DAYS):
        raise errors.invalid_parameter(
            "ArchivePolicy", f"MessageRetentionPeriod must be between 1 and {limits.ARCHIVE_DAYS} days."
        )
    return value


def _checked_feedback(name: str, value: str) -> str:
    if name.endswith("SampleRate"):
        if not _is_number(value, 0, 100):
            raise errors.invalid_parameter(name, "Must be a percentage between 0 and 100.")
        return str(int(value))
    try:
        role = Arn.parse(value)
    except ValueError:
        raise errors.invalid_arn(name, value) from None
    if role.service != "iam" or not role.resource.startswith("role/"):
        raise errors.invalid_parameter(name)
    return value


def _is_number(text: str, low: int, high: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high


def check_same(topic: Topic, wanted: Mapping[str, str], checked: Mapping[str, str]) -> None:
    """Raise unless a topic that exists has all the attributes (as asked for, and checked) of a CreateTopic."""
    settings = _settings(topic)
    for name in wanted:
        if name != "FifoTopic" and name in checked and settings.get(name, "") != checked[name]:
            raise errors.invalid_parameter("Attributes", "Topic already exists with different attributes")


def _settings(topic: Topic) -> dict[str, str]:
    """Return what can be set, with its defaults."""
    settings = {"DisplayName": "", "Policy": access.policy_of(topic)}
    if topic.fifo:
        settings |= {"FifoTopic": "true", "ContentBasedDeduplication": "false", "FifoThroughputScope": "Topic"}
    return settings | topic.attributes


async def shown(tx: Transaction, topic: Topic, now: float) -> dict[str, str]:
    """Return the attributes that GetTopicAttributes shows. `now` is in seconds since the epoch."""
    attributes = {
        "TopicArn": topic.arn,
        "Owner": topic.account,
        "SubscriptionsConfirmed": str(await tx.counter(subscription.confirmed_count(topic))),
        "SubscriptionsPending": str(await tx.counter(subscription.pending_count(topic))),
        "SubscriptionsDeleted": str(await tx.counter(subscription.deleted_count(topic))),
        "EffectiveDeliveryPolicy": delivery_policy.effective_topic_policy(topic.attributes.get("DeliveryPolicy")),
        **_settings(topic),
    }
    if ARCHIVED_SINCE in attributes:
        attributes[ARCHIVED_SINCE] = milliseconds(archive_start(topic, now))
    return attributes


def archive_start(topic: Topic, now: float) -> float:
    """Return from when on, in seconds since the epoch, messages of a topic with an ArchivePolicy can be replayed."""
    kept = int(json.loads(topic.attributes["ArchivePolicy"])["MessageRetentionPeriod"]) * _DAY_SECONDS
    return max(int(topic.attributes[ARCHIVED_SINCE]) / 1000, now - kept)
