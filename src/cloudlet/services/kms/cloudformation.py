"""The resource types of AWS KMS."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cloudlet.core.aws.arn import Arn
from cloudlet.core.aws.resources.declaration import Call, Items, Part, Properties, ResourceType

_DEFAULT_WINDOW: Final = 30


def _list_rotation(properties: Properties) -> list[dict[str, object]]:
    return [{"Days": properties.get("RotationPeriodInDays")}] if properties.get("EnableKeyRotation") else []


def _list_disabled(properties: Properties) -> list[str]:
    return ["disabled"] if properties.get("Enabled") is False else []


def _find_primary_region(properties: Properties) -> str:
    return Arn.parse(properties["PrimaryKeyArn"]).region


def _find_key_id(properties: Properties) -> str | None:
    """Return the id of a replica, which is its primary key's."""
    primary = properties.get("PrimaryKeyArn")
    return properties.get("KeyId") if primary is None else str(primary).rpartition("/")[2]


_POLICY: Final = Part(
    "KeyPolicy", Call("PutKeyPolicy", {"PolicyName": lambda properties: "default", "Policy": "KeyPolicy"})
)
_STATE: Final = Items(_list_disabled, Call("DisableKey"), Call("EnableKey"))
_ROTATION: Final = Items(
    _list_rotation,
    Call("EnableKeyRotation", {"RotationPeriodInDays": "Item.Days"}),
    Call("DisableKeyRotation"),
    key=lambda item: "rotation",
)
_KEY: Final = ResourceType(
    "AWS::KMS::Key",
    "kms",
    create=Call("CreateKey", {"Policy": "KeyPolicy"}),
    read=Call("DescribeKey"),
    updates=(Call("UpdateKeyDescription", absent={"Description": ""}),),
    parts=(_POLICY, _ROTATION, _STATE),
    delete=Call("ScheduleKeyDeletion", absent={"PendingWindowInDays": _DEFAULT_WINDOW}),
    undeletable="is pending",
    tag=Call("TagResource"),
    unlisted=("PendingWindowInDays", "EnableKeyRotation", "Enabled"),
    list=Call("ListKeys"),
)

RESOURCE_TYPES: Final = (
    _KEY,
    replace(
        _KEY,
        name="AWS::KMS::ReplicaKey",
        create=Call(
            "ReplicateKey",
            {"KeyId": "PrimaryKeyArn", "ReplicaRegion": "region", "Policy": "KeyPolicy"},
            region=_find_primary_region,
        ),
        parts=(_POLICY, _STATE),
        attributes={"KeyId": _find_key_id, "Arn": "arn:{partition}:kms:{region}:{account}:key/{KeyId}"},
        unlisted=("PendingWindowInDays", "Enabled"),
        list=None,
    ),
    ResourceType(
        "AWS::KMS::Alias",
        "kms",
        create=Call("CreateAlias"),
        updates=(Call("UpdateAlias"),),
        delete=Call("DeleteAlias"),
    ),
)
