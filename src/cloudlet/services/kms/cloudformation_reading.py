"""The way to read resources of AWS KMS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags


def _find_policy(properties: Properties) -> Any:
    return properties[ANSWER]["Policy"]


def _find_rotation(properties: Properties) -> Any:
    return properties[ANSWER].get("KeyRotationEnabled")


def _find_live(properties: Properties) -> Any:
    """Return what is known of a key, unless it is to be deleted."""
    found = properties[ANSWER]["KeyMetadata"]
    return None if found.get("KeyState") in ("PendingDeletion", "PendingReplicaDeletion") else found


def _find_live_replica(properties: Properties) -> Any:
    found = _find_live(properties)
    return found if find_path(found, "MultiRegionConfiguration.MultiRegionKeyType") == "REPLICA" else None


_POLICY: Final = Read(
    Call("GetKeyPolicy", {"PolicyName": lambda properties: "default"}), {"KeyPolicy": _find_policy}, is_exact=True
)
_TAGS: Final = read_tags("ListResourceTags", "KeyId", "KeyId")

READINGS: Final = {
    "AWS::KMS::Key": Reading(
        Read(Call("DescribeKey"), root=_find_live),
        (
            _POLICY,
            Read(Call("GetKeyRotationStatus"), {"EnableKeyRotation": _find_rotation}, is_exact=True),
            _TAGS,
        ),
    ),
    "AWS::KMS::ReplicaKey": Reading(
        Read(
            Call("DescribeKey"),
            {"PrimaryKeyArn": "MultiRegionConfiguration.PrimaryKey.Arn"},
            root=_find_live_replica,
        ),
        (_POLICY, _TAGS),
    ),
    "AWS::KMS::Alias": Reading(
        Read(Call("DescribeKey", {"KeyId": "AliasName"}), {"TargetKeyId": "KeyMetadata.KeyId"}, is_exact=True),
        list=Listing(Call("ListAliases", {"KeyId": None})),
    ),
}
