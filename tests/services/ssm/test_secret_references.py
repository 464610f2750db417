"""Secrets of Secrets Manager, read as parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.ssm.cloud import SsmCloud

NAME = "/aws/reference/secretsmanager/db/password"
DECRYPTED = {"WithDecryption": True}


@pytest.fixture
def secret(cloud: SsmCloud) -> dict[str, Any]:
    """A secret with two versions."""
    secrets = cloud.aws.client("secretsmanager")
    secrets.create_secret(Name="db/password", SecretString="old")
    changed: dict[str, Any] = secrets.put_secret_value(SecretId="db/password", SecretString="new")
    return changed


def test_a_secret_is_read_as_a_parameter(cloud: SsmCloud, secret: dict[str, Any]) -> None:
    found = cloud.ssm.get_parameter(Name=NAME, **DECRYPTED)["Parameter"]
    source = json.loads(found.pop("SourceResult"))
    modified = found.pop("LastModifiedDate")
    assert found == {
        "Name": NAME,
        "Type": "SecureString",
        "Value": "new",
        "Version": 0,
        "ARN": secret["ARN"],
        "DataType": "text",
    }
    assert source.pop("CreatedDate") == pytest.approx(modified.timestamp(), abs=1)
    assert source == {
        "ARN": secret["ARN"],
        "Name": "db/password",
        "VersionId": secret["VersionId"],
        "SecretString": "new",
        "VersionStages": ["AWSCURRENT"],
    }


def test_a_version_is_read_by_its_stage_or_its_id(cloud: SsmCloud, secret: dict[str, Any]) -> None:
    found = cloud.ssm.get_parameter(Name=f"{NAME}:AWSPREVIOUS", **DECRYPTED)["Parameter"]
    assert (found["Name"], found["Value"], found["Selector"]) == (NAME, "old", ":AWSPREVIOUS")
    assert cloud.value(f"{NAME}:{secret['VersionId']}", **DECRYPTED) == "new"
    assert code_of(cloud.value, f"{NAME}:none", **DECRYPTED) == "ParameterNotFound"
    assert code_of(cloud.value, f"{NAME}:a b", **DECRYPTED) == "ValidationException"


def test_a_secret_is_read_beside_parameters(cloud: SsmCloud, secret: dict[str, Any]) -> None:
    cloud.put("/a", "plain")
    names = ["/a", NAME, "/aws/reference/secretsmanager/none"]
    answer = cloud.ssm.get_parameters(Names=names, **DECRYPTED)
    assert [each["Value"] for each in answer["Parameters"]] == ["plain", "new"]
    assert answer["InvalidParameters"] == ["/aws/reference/secretsmanager/none"]


def test_a_secret_is_only_read_decrypted(cloud: SsmCloud, secret: dict[str, Any]) -> None:
    assert refused(cloud.value, NAME) == (
        "ValidationException",
        "WithDecryption flag must be True for retrieving a Secret Manager secret.",
    )
    code, message = refused(cloud.value, "/aws/reference/secretsmanager/none", **DECRYPTED)
    assert code == "ParameterNotFound"
    assert "ResourceNotFoundException" in message


def test_a_binary_secret_is_base64(cloud: SsmCloud) -> None:
    cloud.aws.client("secretsmanager").create_secret(Name="b", SecretBinary=b"\x00\xff")
    assert cloud.value("/aws/reference/secretsmanager/b", **DECRYPTED) == "AP8="


def test_a_secret_is_not_changed_as_a_parameter(cloud: SsmCloud, secret: dict[str, Any]) -> None:
    assert code_of(cloud.put, NAME) == "AccessDeniedException"
    assert code_of(cloud.ssm.delete_parameter, Name=NAME) == "ParameterNotFound"
    assert code_of(cloud.ssm.get_parameter_history, Name=NAME) == "ParameterNotFound"
    assert cloud.below("/aws/reference", Recursive=True) == []
