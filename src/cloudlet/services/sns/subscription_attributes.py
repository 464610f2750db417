"""Subscription attributes: what may be set, what they default to, and what a subscription shows.

API reference, Subscribe, SetSubscriptionAttributes and GetSubscriptionAttributes; Developer Guide, "Amazon SNS
dead-letter queues" and "Amazon SNS message replay for FIFO topic subscribers".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.services.sns import delivery_policy, errors, filter_policy, limits, subscription, topic_attributes
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic

_RAW_PROTOCOLS = ("sqs", "http", "https", "firehose")
_HTTP_PROTOCOLS = ("http", "https")
_SCOPES = ("MessageAttributes", "MessageBody")
_SETTABLE = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
)
_POLICIES = ("DeliveryPolicy", "RedrivePolicy", "ReplayPolicy")
"""Setting one of these to nothing removes it."""
_PRINCIPAL = "SubscriptionPrincipal"
_MUST_SIGN = "AuthenticateOnUnsubscribe"
_HIDDEN = (_MUST_SIGN,)


def created(topic: Topic, owner: str, protocol: str, wanted: Mapping[str, str], now: float) -> dict[str, str]:
    """Return the attributes of an account's new subscription. Raises AwsError for what AWS does not admit."""
    for name in wanted:
        if name not in _SETTABLE:
            raise errors.invalid_parameter("Attributes", f"Unknown attribute {name}")
    attributes: dict[str, str] = {}
    # The scope says what a filter policy may look like.
    for name in sorted(wanted, key=lambda name: name != "FilterPolicyScope"):
        try:
            attributes = changed(topic, owner, protocol, attributes, name, wanted[name], now)
        except AwsError as error:
            raise errors.in_attributes(error) from error
    return attributes


def changed(
    topic: Topic, owner: str, protocol: str, attributes: Mapping[str, str], name: str, value: str, now: float
) -> dict[str, str]:
    """Return the attributes of a subscription (of an account) with one of them set.

    Raises AwsError for what AWS does not admit.
    """
    if name not in _SETTABLE:
        raise errors.invalid_parameter("AttributeName")
    if name in _POLICIES and len(value) > limits.POLICY_BYTES:
        raise errors.invalid_parameter(f"{name}: must be at most {limits.POLICY_BYTES} characters long")
    after = dict(attributes)
    if name == "FilterPolicy" and value.strip() in ("", "{}"):
        after.pop("FilterPolicy", None)
        return after
    if value == "" and name in _POLICIES:
        after.pop(name, None)
        if name == "ReplayPolicy":
            after.pop("ReplayStatus", None)
        return after
    if name == "FilterPolicy":
        filter_policy.parse(value, attributes.get("FilterPolicyScope", _SCOPES[0]))
    elif name == "FilterPolicyScope":
        if value not in _SCOPES:
            raise errors.invalid_parameter(
                f"FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
            )
        if "FilterPolicy" in attributes:
            filter_policy.parse(attributes["FilterPolicy"], value)
    elif name == "RawMessageDelivery":
        value = _checked_raw(protocol, value)
    elif name == "DeliveryPolicy":
        if protocol not in _HTTP_PROTOCOLS:
            raise errors.invalid_parameter(f"DeliveryPolicy: delivery protocol [{protocol}] does not support it.")
        delivery_policy.check_subscription_policy(value)
    elif name == "RedrivePolicy":
        _check_redrive(topic, owner, value)
    elif name == "ReplayPolicy":
        _check_replay(topic, value, now)
        after["ReplayStatus"] = "Pending"
    elif protocol != "firehose":
        raise errors.invalid_parameter(f"SubscriptionRoleArn: delivery protocol [{protocol}] does not support it.")
    after[name] = value
    return after


def _checked_raw(protocol: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise errors.invalid_parameter(f"RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
    if protocol not in _RAW_PROTOCOLS and value.lower() == "true":
        raise errors.invalid_parameter(f"Delivery protocol [{protocol}] does not support raw message delivery.")
    return value.lower()


def _members(name: str, value: str, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the members of a JSON object that may have only those known. Raises AwsError."""
    try:
        members = json.loads(value)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise errors.invalid_parameter(f"{name}: failed to parse JSON.")
    for member in members:
        if member not in known:
            raise errors.invalid_parameter(f"{name}: invalid JSON. Attribute {member} is unknown.")
    return members


def _check_redrive(topic: Topic, owner: str, value: str) -> None:
    target = _members("RedrivePolicy", value, ("deadLetterTargetArn",)).get("deadLetterTargetArn")
    if not isinstance(target, str):
        raise errors.invalid_parameter("RedrivePolicy: must provide a deadLetterTargetArn.")
    try:
        arn = Arn.parse(target)
    except ValueError:
        raise errors.invalid_parameter("RedrivePolicy: deadLetterTargetArn is an invalid arn.") from None
    if arn.service != "sqs":
        raise errors.invalid_parameter("RedrivePolicy: deadLetterTargetArn is an invalid arn.")
    if (arn.region, arn.account) != (topic.region, owner):
        raise errors.invalid_parameter(
            "RedrivePolicy: deadLetterTargetArn must be a queue of the subscription's account and region."
        )
    if arn.resource.endswith(".fifo") != topic.fifo:
        kind = "FIFO" if topic.fifo else "standard"
        raise errors.invalid_parameter(f"RedrivePolicy: must use a {kind} queue as DLQ for a {kind} topic")


def _check_replay(topic: Topic, value: str, now: float) -> None:
    if "ArchivePolicy" not in topic.attributes:
        raise errors.invalid_parameter("ReplayPolicy: the topic has no ArchivePolicy.")
    policy = _members("ReplayPolicy", value, ("PointType", "StartingPoint", "EndingPoint"))
    if policy.get("PointType") != "Timestamp":
        raise errors.invalid_parameter("ReplayPolicy: PointType must be Timestamp.")
    start = _instant(policy.get("StartingPoint"), "StartingPoint")
    if start > now:
        raise errors.invalid_parameter("ReplayPolicy: StartingPoint must be in the past.")
    if start < int(topic_attributes.archive_start(topic, now)):
        raise errors.invalid_parameter("ReplayPolicy: StartingPoint must not be before the topic's archive begins.")
    if "EndingPoint" in policy and _instant(policy["EndingPoint"], "EndingPoint") <= start:
        raise errors.invalid_parameter("ReplayPolicy: EndingPoint must be after StartingPoint.")


def _instant(value: object, name: str) -> float:
    """Return a moment of a ReplayPolicy in seconds since the epoch."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    raise errors.invalid_parameter(f"ReplayPolicy: {name} must be an ISO 8601 timestamp with a time zone.")


def check_same(existing: Subscription, wanted: Mapping[str, str], checked: Mapping[str, str]) -> None:
    """Raise unless a subscription that exists has all the attributes (as asked for, and checked) of a Subscribe."""
    for name in wanted:
        default = "false" if name == "RawMessageDelivery" else _SCOPES[0] if name == "FilterPolicyScope" else ""
        if existing.attributes.get(name, default) != checked.get(name, default):
            raise errors.invalid_parameter("Attributes", "Subscription already exists with different attributes")


async def check_filter_quota(tx: Transaction, topic: Topic) -> None:
    """Raise if no more filter policies may be set on a topic's subscriptions."""
    of_topic = await tx.counter(subscription.filtered_count(topic))
    of_account = await tx.counter(subscription.filtered_of_account(topic.account, topic.region))
    if of_topic >= limits.FILTER_POLICIES_OF_TOPIC or of_account >= limits.FILTER_POLICIES_OF_ACCOUNT:
        raise AwsError(
            "FilterPolicyLimitExceeded",
            "The number of filter policies in your AWS account exceeds the limit. To add more filter policies, "
            "submit an Amazon SNS Limit Increase case in the AWS Support Center.",
        )


def with_principal(attributes: Mapping[str, str], arn: str) -> dict[str, str]:
    """Return attributes that tell who subscribed."""
    return {**attributes, _PRINCIPAL: arn}


def with_signed_end(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return attributes of a subscription that only a signed request may end."""
    return {**attributes, _MUST_SIGN: "true"}


def needs_signed_end(existing: Subscription) -> bool:
    """Whether only a signed request of its or its topic's owner may end a subscription."""
    return _MUST_SIGN in existing.attributes


def to_api(topic: Topic, existing: Subscription) -> dict[str, str]:
    """Return the attributes that GetSubscriptionAttributes shows."""
    attributes = {
        "SubscriptionArn": existing.arn,
        "TopicArn": existing.topic,
        "Owner": existing.owner,
        "Protocol": existing.protocol,
        "Endpoint": existing.endpoint,
        "PendingConfirmation": "false" if existing.confirmed else "true",
        "ConfirmationWasAuthenticated": "true" if existing.authenticated else "false",
        "RawMessageDelivery": "false",
        **{name: value for name, value in existing.attributes.items() if name not in _HIDDEN},
    }
    if "FilterPolicy" in attributes:
        attributes.setdefault("FilterPolicyScope", _SCOPES[0])
    else:
        attributes.pop("FilterPolicyScope", None)
    if existing.protocol in _HTTP_PROTOCOLS:
        attributes["EffectiveDeliveryPolicy"] = delivery_policy.effective_subscription_policy(
            topic.attributes.get("DeliveryPolicy"), existing.attributes.get("DeliveryPolicy")
        )
    return attributes
