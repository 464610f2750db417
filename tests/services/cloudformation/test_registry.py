"""The resource types that AWS publishes are listed and described, as far as they are here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks


def _list(stacks: Stacks, **options: Any) -> list[str]:
    pages = stacks.client.get_paginator("list_types").paginate(**options)
    return [one["TypeName"] for page in pages for one in page["TypeSummaries"]]


def test_a_type_is_described_with_its_schema(stacks: Stacks) -> None:
    found = stacks.client.describe_type(Type="RESOURCE", TypeName="AWS::SQS::Queue")
    assert found["Arn"] == "arn:aws:cloudformation:us-east-1::type/resource/AWS-SQS-Queue"
    assert (found["ProvisioningType"], found["Visibility"]) == ("FULLY_MUTABLE", "PUBLIC")
    schema = json.loads(found["Schema"])
    assert (schema["typeName"], schema["primaryIdentifier"]) == ("AWS::SQS::Queue", ["/properties/QueueUrl"])
    assert sorted(schema["handlers"]) == ["create", "delete", "list", "read", "update"]
    assert stacks.client.describe_type(Arn=found["Arn"])["Schema"] == found["Schema"]
    metadata = stacks.client.describe_type(Type="RESOURCE", TypeName="AWS::CDK::Metadata")
    assert metadata["ProvisioningType"] == "NON_PROVISIONABLE"


def test_types_are_listed(stacks: Stacks) -> None:
    named = _list(stacks, Visibility="PUBLIC", Filters={"Category": "AWS_TYPES", "TypeNamePrefix": "AWS::SQS::"})
    assert named == ["AWS::SQS::Queue", "AWS::SQS::QueueInlinePolicy", "AWS::SQS::QueuePolicy"]
    assert len(_list(stacks, Visibility="PUBLIC", MaxResults=7)) == len(_list(stacks, Visibility="PUBLIC")) > 90
    assert "AWS::CDK::Metadata" in _list(stacks, Visibility="PUBLIC", ProvisioningType="NON_PROVISIONABLE")
    # There are no private ones, and none of third parties.
    assert _list(stacks) == _list(stacks, Visibility="PUBLIC", Filters={"Category": "THIRD_PARTY"}) == []


def test_a_type_has_to_be_there(stacks: Stacks) -> None:
    for options in ({"TypeName": "AWS::No::No"}, {"TypeName": "AWS::SQS::Queue", "VersionId": "00000001"}):
        with pytest.raises(stacks.client.exceptions.TypeNotFoundException):
            stacks.client.describe_type(Type="RESOURCE", **options)
    with pytest.raises(ClientError, match="Either Arn, or TypeName and Type"):
        stacks.client.describe_type(TypeName="AWS::SQS::Queue")
