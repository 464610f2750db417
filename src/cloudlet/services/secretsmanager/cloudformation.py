"""The resource types of AWS Secrets Manager."""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import GENERATED, Call, Name, Properties, ResourceType


def _make_string(properties: Properties) -> str | None:
    """Return a secret's text: as it is given, or with the password that was generated."""
    generated = properties.get(GENERATED)
    if generated is None:
        given: str | None = properties.get("SecretString")
        return given
    password: str = generated["RandomPassword"]
    wanted = properties["GenerateSecretString"]
    key = wanted.get("GenerateStringKey")
    if key is None:
        return password
    return json.dumps({**json.loads(wanted.get("SecretStringTemplate") or "{}"), key: password})


def _get_path(name: str) -> str:
    return f"GenerateSecretString.{name}"


_PASSWORD: Final = Call(
    "GetRandomPassword",
    {
        name: _get_path(name)
        for name in (
            "PasswordLength",
            "ExcludeCharacters",
            "ExcludeNumbers",
            "ExcludePunctuation",
            "ExcludeUppercase",
            "ExcludeLowercase",
            "IncludeSpace",
            "RequireEachIncludedType",
        )
    },
)
_SECRET: Final[dict[str, Any]] = {"SecretId": "Id"}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::SecretsManager::Secret",
        "secretsmanager",
        create=Call("CreateSecret", {"SecretString": _make_string, "AddReplicaRegions": "ReplicaRegions"}),
        read=Call("DescribeSecret", _SECRET),
        exists=Call("DescribeSecret", {"SecretId": "Name"}),
        updates=(Call("UpdateSecret", {**_SECRET, "SecretString": _make_string}, {"Description": ""}),),
        delete=Call("DeleteSecret", {**_SECRET, "ForceDeleteWithoutRecovery": lambda properties: True}),
        named=Name("Name", 512),
        attributes={"Id": "ARN"},
        tag=Call("TagResource", _SECRET),
        generate=("GenerateSecretString", _PASSWORD),
    ),
    ResourceType(
        "AWS::SecretsManager::ResourcePolicy",
        "secretsmanager",
        create=Call("PutResourcePolicy"),
        updates=(Call("PutResourcePolicy"),),
        delete=Call("DeleteResourcePolicy"),
        attributes={"Id": "{SecretId}"},
    ),
    ResourceType(
        "AWS::SecretsManager::RotationSchedule",
        "secretsmanager",
        create=Call("RotateSecret", {"RotateImmediately": "RotateImmediatelyOnUpdate"}),
        updates=(Call("RotateSecret", {"RotateImmediately": "RotateImmediatelyOnUpdate"}),),
        delete=Call("CancelRotateSecret"),
        attributes={"Id": "{SecretId}"},
    ),
)
