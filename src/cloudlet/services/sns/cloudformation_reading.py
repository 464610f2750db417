"""The way to read resources of Amazon SNS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path
from cloudlet.core.aws.resources.outputs import parse_document
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags

_PROTOCOLS: Final = {
    "HTTP": "http/s",
    "SQS": "sqs",
    "Lambda": "lambda",
    "Firehose": "firehose",
    "Application": "application",
}
_LOGGED: Final = ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")


def _find_name(properties: Properties) -> str:
    return str(properties[ANSWER]["Attributes"]["TopicArn"]).rpartition(":")[2]


def _find_logging(properties: Properties) -> list[dict[str, Any]]:
    attributes = properties[ANSWER]["Attributes"]
    found = []
    for prefix, protocol in _PROTOCOLS.items():
        logged = {name: attributes[f"{prefix}{name}"] for name in _LOGGED if attributes.get(f"{prefix}{name}")}
        if logged:
            found.append({"Protocol": protocol, **logged})
    return found


def _find_own_policy(properties: Properties) -> Any:
    """Return the attributes of a topic with a policy of its own."""
    attributes = properties[ANSWER]["Attributes"]
    policy = parse_document(attributes.get("Policy") or "")
    return None if not policy or find_path(policy, "Id") == "__default_policy_ID" else attributes


READINGS: Final = {
    "AWS::SNS::Topic": Reading(
        Read(Call("GetTopicAttributes"), {"TopicName": _find_name, "DeliveryStatusLogging": _find_logging}),
        (
            Read(Call("ListSubscriptionsByTopic"), {"Subscription": "Subscriptions"}, is_exact=True),
            Read(Call("GetDataProtectionPolicy", {"ResourceArn": "TopicArn"})),
            read_tags("ListTagsForResource", "ResourceArn", "TopicArn"),
        ),
    ),
    "AWS::SNS::TopicInlinePolicy": Reading(
        Read(Call("GetTopicAttributes"), {"PolicyDocument": "Policy"}, root=_find_own_policy, is_exact=True)
    ),
    "AWS::SNS::Subscription": Reading(
        Read(Call("GetSubscriptionAttributes", {"SubscriptionArn": "Arn"})),
        list=Listing(Call("ListSubscriptions"), properties={"Arn": "SubscriptionArn"}),
    ),
}
