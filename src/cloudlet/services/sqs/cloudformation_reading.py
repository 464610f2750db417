"""The way to read resources of Amazon SQS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Read, Reading, read_tags


def _find_name(properties: Properties) -> str:
    return str(properties[ANSWER]["Attributes"]["QueueArn"]).rpartition(":")[2]


def _find_policy(properties: Properties) -> Any:
    attributes = properties[ANSWER].get("Attributes") or {}
    return attributes if attributes.get("Policy") else None


READINGS: Final = {
    "AWS::SQS::Queue": Reading(
        Read(
            Call("GetQueueAttributes", {"AttributeNames": lambda properties: ["All"]}),
            {"QueueName": _find_name, "Arn": "Attributes.QueueArn"},
        ),
        (read_tags("ListQueueTags", "QueueUrl", "QueueUrl"),),
    ),
    "AWS::SQS::QueueInlinePolicy": Reading(
        Read(
            Call("GetQueueAttributes", {"QueueUrl": "Queue", "AttributeNames": lambda properties: ["Policy"]}),
            {"PolicyDocument": "Policy"},
            root=_find_policy,
            is_exact=True,
        )
    ),
}
