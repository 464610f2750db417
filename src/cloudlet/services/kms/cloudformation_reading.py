"""The way to read resources of AWS KMS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags


def _find_policy(properties: Properties) -> Any:
    return properties[ANSWER]["Policy"]


def _find_rotation(properties: Properties) -> Any:
    return properties[ANSWER].get("KeyRotationEnabled")


def _find_live(properties: Properties) -> Any:
    """Return what is known of a key, unless it is to be deleted."""
    found = properties[ANSWER]["KeyMetadata"]
    return None if found.get("KeyState") in ("PendingDeletion", "PendingReplicaDeletion") else found


READINGS: Final = {
    "AWS::KMS::Key": Reading(
        Read(Call("DescribeKey"), root=_find_live),
        (
            Read(
                Call("GetKeyPolicy", {"PolicyName": lambda properties: "default"}),
                {"KeyPolicy": _find_policy},
                is_exact=True,
            ),
            Read(Call("GetKeyRotationStatus"), {"EnableKeyRotation": _find_rotation}, is_exact=True),
            read_tags("ListResourceTags", "KeyId", "KeyId"),
        ),
    ),
    "AWS::KMS::Alias": Reading(
        Read(Call("DescribeKey", {"KeyId": "AliasName"}), {"TargetKeyId": "KeyMetadata.KeyId"}, is_exact=True),
        list=Listing(Call("ListAliases", {"KeyId": None})),
    ),
}
