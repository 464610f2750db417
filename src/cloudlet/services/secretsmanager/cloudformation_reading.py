"""The way to read resources of AWS Secrets Manager."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading

_SECRET: Final = {"SecretId": "Id"}


def _find_live(properties: Properties) -> Any:
    answer = properties[ANSWER]
    return None if answer.get("DeletedDate") else answer


def _find_rotated(properties: Properties) -> Any:
    answer = properties[ANSWER]
    return answer if answer.get("RotationEnabled") else None


def _find_policy(properties: Properties) -> Any:
    answer = properties[ANSWER]
    return answer if answer.get("ResourcePolicy") else None


READINGS: Final = {
    "AWS::SecretsManager::Secret": Reading(
        Read(Call("DescribeSecret", _SECRET), {"ReplicaRegions": "ReplicationStatus"}, root=_find_live),
        list=Listing(Call("ListSecrets"), properties={"Id": "ARN"}),
    ),
    "AWS::SecretsManager::ResourcePolicy": Reading(
        Read(Call("GetResourcePolicy", _SECRET), {"SecretId": "ARN"}, root=_find_policy)
    ),
    "AWS::SecretsManager::RotationSchedule": Reading(
        Read(Call("DescribeSecret", _SECRET), {"SecretId": "ARN"}, root=_find_rotated)
    ),
}
