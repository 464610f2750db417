"""The resource types of Amazon SQS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Items, Name, Properties, ResourceType, make_bag, to_text

_ATTRIBUTES: Final = (
    "DelaySeconds",
    "FifoThroughputLimit",
    "DeduplicationScope",
    "ContentBasedDeduplication",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)
_DEFAULTS: Final = {
    "DelaySeconds": "0",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
}
"""The values of attributes that a template does not give any more."""


def _get_suffix(properties: Properties) -> str:
    return ".fifo" if properties.get("FifoQueue") else ""


def _list_policies(properties: Properties) -> list[dict[str, Any]]:
    policy = to_text(properties.get("PolicyDocument", {}))
    return [{"QueueUrl": queue, "Attributes": {"Policy": policy}} for queue in properties.get("Queues", ())]


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::SQS::Queue",
        "sqs",
        create=Call("CreateQueue", {"Attributes": make_bag(*_ATTRIBUTES, "FifoQueue")}),
        read=Call("GetQueueAttributes", {"AttributeNames": lambda properties: ["QueueArn"]}),
        exists=Call("GetQueueUrl"),
        updates=(Call("SetQueueAttributes", {"Attributes": make_bag(*_ATTRIBUTES, absent=_DEFAULTS)}),),
        delete=Call("DeleteQueue"),
        named=Name("QueueName", 80, suffix=_get_suffix),
        attributes={"Arn": "arn:{partition}:sqs:{region}:{account}:{QueueName}"},
        tag=Call("TagQueue"),
        list=Call("ListQueues"),
    ),
    ResourceType(
        "AWS::SQS::QueuePolicy",
        "sqs",
        parts=(
            Items(
                _list_policies,
                Call("SetQueueAttributes", {"QueueUrl": "Item.QueueUrl", "Attributes": "Item.Attributes"}),
                Call(
                    "SetQueueAttributes",
                    {"QueueUrl": "Item.QueueUrl", "Attributes": lambda properties: {"Policy": ""}},
                ),
                key=lambda item: item["QueueUrl"],
                is_removed_first=True,
            ),
        ),
    ),
    ResourceType(
        "AWS::SQS::QueueInlinePolicy",
        "sqs",
        create=Call("SetQueueAttributes", {"QueueUrl": "Queue", "Attributes": make_bag(PolicyDocument="Policy")}),
        updates=(Call("SetQueueAttributes", {"QueueUrl": "Queue", "Attributes": make_bag(PolicyDocument="Policy")}),),
        delete=Call("SetQueueAttributes", {"QueueUrl": "Queue", "Attributes": lambda properties: {"Policy": ""}}),
    ),
)
