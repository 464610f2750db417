"""Tags of parameters."""

from __future__ import annotations

import pytest

from tests.refused import code_of
from tests.services.ssm.cloud import SsmCloud

OF_A = {"ResourceType": "Parameter", "ResourceId": "/a"}


def _tags(cloud: SsmCloud) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in cloud.ssm.list_tags_for_resource(**OF_A)["TagList"]}


def test_tags_are_added_and_removed(cloud: SsmCloud) -> None:
    cloud.put("/a", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    cloud.ssm.add_tags_to_resource(**OF_A, Tags=[{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}])
    assert _tags(cloud) == {"a": "1", "b": "3", "c": ""}
    cloud.ssm.remove_tags_from_resource(**OF_A, TagKeys=["a", "none"])
    assert _tags(cloud) == {"b": "3", "c": ""}
    cloud.update("/a")
    assert _tags(cloud) == {"b": "3", "c": ""}, "an update keeps them"
    assert cloud.ssm.get_parameter(Name="/a")["Parameter"]["Version"] == 2
    cloud.ssm.delete_parameter(Name="/a")
    cloud.put("/a")
    assert _tags(cloud) == {}


def test_tags_have_their_limits(cloud: SsmCloud) -> None:
    cloud.put("/a")
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
    assert code_of(cloud.ssm.add_tags_to_resource, **OF_A, Tags=many) == "TooManyTagsError"
    reserved = [{"Key": "aws:k", "Value": "v"}]
    assert code_of(cloud.ssm.add_tags_to_resource, **OF_A, Tags=reserved) == "ValidationException"


@pytest.mark.parametrize("resource", ["/none", "a/b", "arn:aws:ssm:us-east-1:123456789012:parameter/a"])
def test_what_is_not_there_has_no_tags(cloud: SsmCloud, resource: str) -> None:
    given = {"ResourceType": "Parameter", "ResourceId": resource}
    assert code_of(cloud.ssm.list_tags_for_resource, **given) == "InvalidResourceId"
    assert code_of(cloud.ssm.add_tags_to_resource, **given, Tags=[]) == "InvalidResourceId"
    assert code_of(cloud.ssm.remove_tags_from_resource, **given, TagKeys=[]) == "InvalidResourceId"


def test_only_parameters_have_tags(cloud: SsmCloud) -> None:
    given = {"ResourceType": "Document", "ResourceId": "d"}
    assert code_of(cloud.ssm.list_tags_for_resource, **given) == "InvalidResourceType"
