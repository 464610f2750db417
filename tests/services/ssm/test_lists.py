"""Parameters by path and by filters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.refused import code_of, refused
from tests.services.ssm.cloud import SsmCloud
from tests.sizes import examples


def test_a_path_has_the_parameters_of_the_next_level_or_of_all(cloud: SsmCloud) -> None:
    for name in ("/a", "/a/b", "/a/b/c", "/a/bc", "/ab/c", "top"):
        cloud.put(name)
    assert cloud.below("/a") == cloud.below("/a/") == ["/a/b", "/a/bc"]
    assert cloud.below("/a", Recursive=True) == ["/a/b", "/a/b/c", "/a/bc"]
    assert cloud.below("/") == ["/a", "top"]
    assert len(cloud.below("/", Recursive=True)) == 6
    assert cloud.below("/none", Recursive=True) == []


def test_a_path_is_read_in_pages(cloud: SsmCloud) -> None:
    names = [f"/p/{number:02}" for number in range(23)]
    for name in names:
        cloud.put(name, name)
    first = cloud.ssm.get_parameters_by_path(Path="/p")
    assert [each["Value"] for each in first["Parameters"]] == names[:10]
    assert cloud.below("/p") == names
    assert cloud.below("/p", PaginationConfig={"PageSize": 4}) == names
    assert code_of(cloud.ssm.get_parameters_by_path, Path="/p", NextToken="!") == "InvalidNextToken"


@pytest.mark.parametrize("path", ["a", "a/b", "/a//b", "/ssm", "/a b", "/ü"])
def test_what_is_no_path_is_refused(cloud: SsmCloud, path: str) -> None:
    code, message = refused(cloud.ssm.get_parameters_by_path, Path=path)
    assert code == "ValidationException"
    assert message == (
        "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward "
        r"""slash "/". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, """
        "numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not "
        'allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: '
        "/get/parameters2-/by1./path0_."
    )


def test_a_path_can_be_filtered_by_type_and_label(cloud: SsmCloud) -> None:
    cloud.put("/p/a", "1")
    cloud.put("/p/b", "1", Type="StringList")
    cloud.update("/p/a", "2")
    cloud.ssm.label_parameter_version(Name="/p/a", ParameterVersion=1, Labels=["prod"])

    def found(key: str, *values: str, **more: str) -> list[tuple[str, str]]:
        filters = [{"Key": key, "Values": list(values), **more}]
        answer = cloud.ssm.get_parameters_by_path(Path="/p", ParameterFilters=filters)
        return [(each["Name"], each["Value"]) for each in answer["Parameters"]]

    assert found("Type", "StringList") == [("/p/b", "1")]
    assert found("Type", "String", Option="BeginsWith") == [("/p/a", "2"), ("/p/b", "1")]
    assert found("Label", "prod") == [("/p/a", "1")], "the version that has it"
    assert found("Label", "other") == []
    assert code_of(found, "Name", "/p/a") == "InvalidFilterKey"
    assert code_of(found, "Label", "prod", Option="BeginsWith") == "InvalidFilterOption"


def test_parameters_are_described_without_their_values(cloud: SsmCloud) -> None:
    cloud.put("/a", "secret", Description="d", AllowedPattern="secret", Tags=[{"Key": "k", "Value": "v"}])
    (shown,) = cloud.ssm.describe_parameters()["Parameters"]
    assert shown.pop("LastModifiedDate")
    assert shown == {
        "Name": "/a",
        "ARN": cloud.arn("/a"),
        "Type": "String",
        "LastModifiedUser": f"arn:aws:iam::{cloud.account}:root",
        "Description": "d",
        "AllowedPattern": "secret",
        "Version": 1,
        "Tier": "Standard",
        "Policies": [],
        "DataType": "text",
    }


def test_parameters_are_described_by_filters(cloud: SsmCloud) -> None:
    cloud.put("/shop/dev/url", Tags=[{"Key": "team", "Value": "red"}])
    cloud.put("/shop/dev/db/user", Type="StringList")
    cloud.put("/shop/prod/url", Tier="Advanced")
    cloud.put("plain", "1", DataType="integer")

    def found(key: str, *values: str, option: str | None = None) -> list[str]:
        given: dict[str, Any] = {"Key": key}
        given |= {"Values": list(values)} if values else {}
        return cloud.described({**given, "Option": option} if option else given)

    assert found("Name", "/shop/dev/url", "plain") == ["plain", "/shop/dev/url"]
    assert found("Name", "/shop/", option="BeginsWith") == ["/shop/dev/db/user", "/shop/dev/url", "/shop/prod/url"]
    assert found("Name", "url", option="Contains") == ["/shop/dev/url", "/shop/prod/url"]
    assert found("Type", "StringList") == ["/shop/dev/db/user"]
    assert found("Tier", "Advanced") == ["/shop/prod/url"]
    assert found("DataType", "integer") == ["plain"]
    assert found("Path", "/shop/dev") == ["/shop/dev/url"]
    assert found("Path", "/shop/dev", option="Recursive") == ["/shop/dev/db/user", "/shop/dev/url"]
    assert found("tag:team", "red") == found("tag:team") == ["/shop/dev/url"]
    assert found("tag:team", "r", option="BeginsWith") == ["/shop/dev/url"]
    assert found("tag:team", "blue") == []
    assert found("KeyId", "alias/aws/ssm") == []
    both = [{"Key": "Type", "Values": ["String"]}, {"Key": "Path", "Option": "Recursive", "Values": ["/shop"]}]
    assert cloud.described(*both) == ["/shop/dev/url", "/shop/prod/url"], "all must hold"
    assert cloud.described(PaginationConfig={"PageSize": 3}) == cloud.described()
    older = cloud.ssm.describe_parameters(Filters=[{"Key": "Type", "Values": ["StringList"]}])
    assert [each["Name"] for each in older["Parameters"]] == ["/shop/dev/db/user"]
    assert cloud.described(Shared=True) == []


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ([{"Key": "Label", "Values": ["a"]}], "InvalidFilterKey"),
        ([{"Key": "Name", "Option": "Like", "Values": ["a"]}], "InvalidFilterOption"),
        ([{"Key": "Type", "Option": "Contains", "Values": ["a"]}], "InvalidFilterOption"),
        ([{"Key": "Path", "Option": "Equals", "Values": ["/a"]}], "InvalidFilterOption"),
        ([{"Key": "Name"}], "InvalidFilterValue"),
        ([{"Key": "Path", "Values": ["a"]}], "ValidationException"),
        ([{"Key": "Name", "Values": ["a"]}, {"Key": "Name", "Values": ["b"]}], "ValidationException"),
        ([{"Key": "Nonsense", "Values": ["a"]}], "ValidationException"),
    ],
)
def test_filters_that_make_no_sense_are_refused(cloud: SsmCloud, filters: list[dict[str, Any]], code: str) -> None:
    assert code_of(cloud.described, *filters) == code


def test_filters_of_both_kinds_are_not_together(cloud: SsmCloud) -> None:
    both = {"Filters": [{"Key": "Name", "Values": ["a"]}], "ParameterFilters": [{"Key": "Name", "Values": ["a"]}]}
    assert refused(cloud.ssm.describe_parameters, **both) == (
        "ValidationException",
        "You can use either Filters or ParameterFilters in a single request.",
    )
    assert code_of(cloud.ssm.describe_parameters, NextToken="!") == "InvalidNextToken"


_LEVELS = st.lists(st.sampled_from(["a", "b", "a-b", "a.b", "A"]), min_size=1, max_size=4).map(tuple)


@settings(max_examples=examples(100))
@given(names=st.sets(_LEVELS, max_size=12), path=st.one_of(st.just(()), _LEVELS), size=st.integers(1, 10))
def test_paths_have_what_a_plain_model_says(
    cloud: SsmCloud, names: set[tuple[str, ...]], path: tuple[str, ...], size: int
) -> None:
    for levels in names:
        cloud.put("/" + "/".join(levels))
    try:
        inside = sorted(levels for levels in names if levels[: len(path)] == path and len(levels) > len(path))
        text, pages = "/" + "/".join(path), {"PageSize": size}
        expected = ["/" + "/".join(levels) for levels in inside]
        direct = ["/" + "/".join(levels) for levels in inside if len(levels) == len(path) + 1]
        assert cloud.below(text, Recursive=True, PaginationConfig=pages) == expected
        assert cloud.below(text, PaginationConfig=pages) == direct
        by_path = {"Key": "Path", "Option": "Recursive", "Values": [text]}
        assert cloud.described(by_path, PaginationConfig=pages) == expected
    finally:
        for levels in names:
            cloud.ssm.delete_parameter(Name="/" + "/".join(levels))
