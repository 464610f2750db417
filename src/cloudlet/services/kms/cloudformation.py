"""The resource types of AWS KMS."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Items, Part, Properties, ResourceType

_DEFAULT_WINDOW: Final = 30


def _list_rotation(properties: Properties) -> list[dict[str, object]]:
    return [{"Days": properties.get("RotationPeriodInDays")}] if properties.get("EnableKeyRotation") else []


def _list_disabled(properties: Properties) -> list[str]:
    return ["disabled"] if properties.get("Enabled") is False else []


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::KMS::Key",
        "kms",
        create=Call("CreateKey", {"Policy": "KeyPolicy"}),
        read=Call("DescribeKey"),
        updates=(Call("UpdateKeyDescription", absent={"Description": ""}),),
        parts=(
            Part(
                "KeyPolicy",
                Call("PutKeyPolicy", {"PolicyName": lambda properties: "default", "Policy": "KeyPolicy"}),
            ),
            Items(
                _list_rotation,
                Call("EnableKeyRotation", {"RotationPeriodInDays": "Item.Days"}),
                Call("DisableKeyRotation"),
                key=lambda item: "rotation",
            ),
            Items(_list_disabled, Call("DisableKey"), Call("EnableKey")),
        ),
        delete=Call("ScheduleKeyDeletion", absent={"PendingWindowInDays": _DEFAULT_WINDOW}),
        tag=Call("TagResource"),
        untag=Call("UntagResource"),
        unlisted=("PendingWindowInDays", "EnableKeyRotation", "Enabled"),
        list=Call("ListKeys"),
    ),
    ResourceType(
        "AWS::KMS::Alias",
        "kms",
        create=Call("CreateAlias"),
        updates=(Call("UpdateAlias"),),
        delete=Call("DeleteAlias"),
    ),
)
