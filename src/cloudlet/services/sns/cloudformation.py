"""The resource types of Amazon SNS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import (
    Call,
    Items,
    Name,
    Part,
    Properties,
    ResourceType,
    Source,
    find_path,
    make_bag,
    to_text,
)

_TOPIC_ATTRIBUTES: Final = (
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "SignatureVersion",
)
_SUBSCRIPTION_ATTRIBUTES: Final = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
)
_LOGGED_PROTOCOLS: Final = {
    "http/s": "HTTP",
    "sqs": "SQS",
    "lambda": "Lambda",
    "firehose": "Firehose",
    "application": "Application",
}
_LOGGED: Final = ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")


def _get_suffix(properties: Properties) -> str:
    return ".fifo" if properties.get("FifoTopic") else ""


def _make_topic_attributes(properties: Properties) -> dict[str, str]:
    made = make_bag(*_TOPIC_ATTRIBUTES, "FifoTopic", TracingConfig="TracingConfig")(properties)
    for logging in properties.get("DeliveryStatusLogging") or ():
        prefix = _LOGGED_PROTOCOLS[logging["Protocol"]]
        made |= {f"{prefix}{name}": str(logging[name]) for name in _LOGGED if name in logging}
    return made


def _list_attributes(properties: Properties) -> list[dict[str, str]]:
    """Return the attributes of a topic that can be changed one by one."""
    made = _make_topic_attributes(properties)
    return [{"Name": name, "Value": value} for name, value in made.items() if name != "FifoTopic"]


def _list_subscription_attributes(properties: Properties) -> list[dict[str, str]]:
    made = make_bag(*_SUBSCRIPTION_ATTRIBUTES)(properties)
    return [{"Name": name, "Value": value} for name, value in made.items()]


def _list_policies(properties: Properties) -> list[dict[str, Any]]:
    policy = to_text(properties.get("PolicyDocument", {}))
    return [{"TopicArn": topic, "Policy": policy} for topic in properties.get("Topics", ())]


def _make_default_policy(properties: Properties) -> str:
    """Return the policy that a topic has at first: its owner may use it."""
    topic = find_path(properties, "Item.TopicArn") or properties["TopicArn"]
    account = topic.split(":")[4]
    actions = (
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    )
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    return to_text({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


def _get_name(item: Any) -> str:
    return str(item["Name"])


def _set_policy(value: Source, topic: str = "TopicArn") -> Call:
    """Return the call that sets a topic's policy."""
    return Call(
        "SetTopicAttributes",
        {"TopicArn": topic, "AttributeName": lambda properties: "Policy", "AttributeValue": value},
    )


_SET_TOPIC: Final = {"AttributeName": "Item.Name", "AttributeValue": "Item.Value"}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::SNS::Topic",
        "sns",
        create=Call("CreateTopic", {"Name": "TopicName", "Attributes": _make_topic_attributes}),
        read=Call("GetTopicAttributes"),
        exists=Call("GetTopicAttributes", {"TopicArn": "arn:{partition}:sns:{region}:{account}:{TopicName}"}),
        parts=(
            Items(
                _list_attributes,
                Call("SetTopicAttributes", _SET_TOPIC),
                Call("SetTopicAttributes", {"AttributeName": "Item.Name", "AttributeValue": lambda properties: ""}),
                key=_get_name,
                is_made=True,
            ),
            Items(
                "Subscription",
                Call("Subscribe", {"Protocol": "Item.Protocol", "Endpoint": "Item.Endpoint"}),
            ),
            Part("DataProtectionPolicy", Call("PutDataProtectionPolicy", {"ResourceArn": "TopicArn"})),
        ),
        delete=Call("DeleteTopic"),
        named=Name("TopicName", 256, suffix=_get_suffix),
        tag=Call("TagResource", {"ResourceArn": "TopicArn"}),
        list=Call("ListTopics"),
    ),
    ResourceType(
        "AWS::SNS::TopicPolicy",
        "sns",
        parts=(
            Items(
                _list_policies,
                _set_policy("Item.Policy", "Item.TopicArn"),
                _set_policy(_make_default_policy, "Item.TopicArn"),
                key=lambda item: item["TopicArn"],
                is_removed_first=True,
            ),
        ),
    ),
    ResourceType(
        "AWS::SNS::TopicInlinePolicy",
        "sns",
        create=_set_policy("PolicyDocument"),
        updates=(_set_policy("PolicyDocument"),),
        delete=_set_policy(_make_default_policy),
    ),
    ResourceType(
        "AWS::SNS::Subscription",
        "sns",
        create=Call(
            "Subscribe",
            {"Attributes": make_bag(*_SUBSCRIPTION_ATTRIBUTES), "ReturnSubscriptionArn": lambda properties: True},
        ),
        parts=(
            Items(
                _list_subscription_attributes,
                Call("SetSubscriptionAttributes", {"SubscriptionArn": "Arn", **_SET_TOPIC}),
                Call(
                    "SetSubscriptionAttributes",
                    {"SubscriptionArn": "Arn", "AttributeName": "Item.Name", "AttributeValue": lambda properties: "{}"},
                ),
                key=_get_name,
                is_made=True,
            ),
        ),
        delete=Call("Unsubscribe", {"SubscriptionArn": "Arn"}),
        undeletable="pending confirmation",
        attributes={"Arn": "SubscriptionArn"},
    ),
)
