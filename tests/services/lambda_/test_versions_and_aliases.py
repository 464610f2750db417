"""Versions, which never change, and aliases, which name them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.lambda_.cloud import FunctionCloud, package

INVALID = "InvalidParameterValueException"


@pytest.fixture
def published(cloud: FunctionCloud) -> FunctionCloud:
    """A function f with the versions 1 and 2."""
    cloud.function(Publish=True)
    cloud.wait()
    cloud.client.update_function_code(FunctionName="f", ZipFile=package({"index.py": "2"}))
    cloud.wait()
    cloud.client.publish_version(FunctionName="f", Description="second")
    return cloud


def test_published_versions_keep_what_they_were(published: FunctionCloud) -> None:
    published.client.update_function_configuration(FunctionName="f", Timeout=60, Description="later")
    listed = published.client.list_versions_by_function(FunctionName="f")["Versions"]
    assert [(each["Version"], each["Timeout"], each["Description"]) for each in listed] == [
        ("$LATEST", 60, "later"),
        ("1", 3, ""),
        ("2", 3, "second"),
    ]
    assert listed[1]["FunctionArn"] == f"{published.arn()}:1"
    assert listed[1]["CodeSha256"] != listed[2]["CodeSha256"]
    assert published.client.get_function(FunctionName="f", Qualifier="1")["Configuration"]["State"] == "Active"


def test_what_is_published_of_an_active_function_is_active(published: FunctionCloud) -> None:
    published.client.update_function_configuration(FunctionName="f", Timeout=60)
    published.wait()
    made = published.client.publish_version(FunctionName="f")
    assert (made["Version"], made["State"], made["LastUpdateStatus"]) == ("3", "Active", "Successful")


def test_nothing_is_published_where_nothing_has_changed(published: FunctionCloud) -> None:
    assert published.client.publish_version(FunctionName="f", Description="third")["Version"] == "2"


def test_what_is_published_is_the_code_that_is_meant(published: FunctionCloud) -> None:
    code, message, _ = published.refused("publish_version", FunctionName="f", CodeSha256="x")
    assert (code, message[:45]) == (INVALID, "CodeSHA256 (x) is different from current Code")


def test_versions_are_listed_in_pages(published: FunctionCloud) -> None:
    pages = published.client.get_paginator("list_versions_by_function").paginate(
        FunctionName="f", PaginationConfig={"PageSize": 2}
    )
    assert [each["Version"] for page in pages for each in page["Versions"]] == ["$LATEST", "1", "2"]


def test_one_version_is_deleted(published: FunctionCloud) -> None:
    published.client.delete_function(FunctionName="f", Qualifier="1")
    code, message, _ = published.refused("get_function", FunctionName="f", Qualifier="1")
    assert (code, message) == ("ResourceNotFoundException", f"Function not found: {published.arn()}:1")


def test_the_latest_version_goes_with_its_function(published: FunctionCloud) -> None:
    code, message, _ = published.refused("delete_function", FunctionName="f", Qualifier="$LATEST")
    assert (code, message) == (INVALID, "$LATEST version cannot be deleted without deleting the function.")


def test_an_alias_is_shown_changed_and_deleted(published: FunctionCloud) -> None:
    client = published.client
    made = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1", Description="all")
    assert made["AliasArn"] == f"{published.arn()}:live"
    config = client.get_function_configuration(FunctionName="f:live")
    assert (config["Version"], config["FunctionArn"]) == ("1", f"{published.arn()}:live")
    changed = client.update_alias(
        FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}}
    )
    assert changed["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.25}}
    assert (changed["FunctionVersion"], changed["Description"]) == ("1", "all")
    assert changed["RevisionId"] != made["RevisionId"]
    shown = client.get_alias(FunctionName="f", Name="live")
    assert {key: shown[key] for key in shown if key != "ResponseMetadata"} == {
        key: changed[key] for key in changed if key != "ResponseMetadata"
    }
    assert "RoutingConfig" not in client.update_alias(
        FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    client.delete_alias(FunctionName="f", Name="live")
    code, message, _ = published.refused("get_alias", FunctionName="f", Name="live")
    assert (code, message) == ("ResourceNotFoundException", f"Cannot find alias arn: {published.arn()}:live")


def test_aliases_are_listed_by_the_version_they_name(published: FunctionCloud) -> None:
    client = published.client
    client.create_alias(FunctionName="f", Name="one", FunctionVersion="1")
    client.create_alias(FunctionName="f", Name="two", FunctionVersion="2")
    client.create_alias(
        FunctionName="f", Name="both", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )
    assert [each["Name"] for each in client.list_aliases(FunctionName="f")["Aliases"]] == ["both", "one", "two"]
    of_second = client.list_aliases(FunctionName="f", FunctionVersion="2")["Aliases"]
    assert [each["Name"] for each in of_second] == ["both", "two"]


@pytest.mark.parametrize(
    ("version", "weights", "code", "message"),
    [
        ("9", {}, "ResourceNotFoundException", "Function not found: "),
        ("1", {"9": 0.1}, "ResourceNotFoundException", "Function not found: "),
        ("1", {"2": 0.1, "3": 0.1}, INVALID, "cannot be greater than 1"),
        ("1", {"1": 0.1}, INVALID, "Invalid function version 1."),
        ("$LATEST", {"1": 0.1}, INVALID, "$LATEST is not supported for an alias pointing to more than 1 version"),
    ],
)
def test_aliases_name_what_is_there(
    published: FunctionCloud, version: str, weights: dict[str, float], code: str, message: str
) -> None:
    routing = {"AdditionalVersionWeights": weights}
    found, text, _ = published.refused(
        "create_alias", FunctionName="f", Name="live", FunctionVersion=version, RoutingConfig=routing
    )
    assert (found, message in text) == (code, True), text


def test_a_name_is_that_of_one_alias(published: FunctionCloud) -> None:
    alias: dict[str, Any] = {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}
    published.client.create_alias(**alias)
    code, message, status = published.refused("create_alias", **alias)
    assert (code, status) == ("ResourceConflictException", 409)
    assert message == f"Alias already exists: {published.arn()}:live"


def test_an_alias_that_is_not_there_is_not_changed(published: FunctionCloud) -> None:
    code, message, _ = published.refused("update_alias", FunctionName="f", Name="live", FunctionVersion="1")
    assert (code, message) == ("ResourceNotFoundException", f"Alias not found: {published.arn()}:live")


def test_an_alias_is_changed_in_the_revision_that_is_meant(published: FunctionCloud) -> None:
    published.client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    changes = {"FunctionName": "f", "Name": "live", "FunctionVersion": "2", "RevisionId": "old"}
    assert published.refused("update_alias", **changes)[::2] == ("PreconditionFailedException", 412)


def test_a_version_that_an_alias_names_is_not_deleted(published: FunctionCloud) -> None:
    published.client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert published.refused("delete_function", FunctionName="f", Qualifier="1")[0] == "ResourceConflictException"
    code, message, _ = published.refused("delete_function", FunctionName="f", Qualifier="live")
    assert (code, message) == (INVALID, "Deletion of aliases is not currently supported.")


def test_an_alias_needs_a_function(cloud: FunctionCloud) -> None:
    alias = {"FunctionName": "none", "Name": "live", "FunctionVersion": "1"}
    assert cloud.refused("create_alias", **alias)[:2] == (
        "ResourceNotFoundException",
        f"Function not found: {cloud.arn('none')}",
    )


def test_names_and_qualifiers_do_not_contradict_each_other(published: FunctionCloud) -> None:
    code, message, _ = published.refused("get_function", FunctionName="f:1", Qualifier="2")
    assert (code, message[:30]) == (INVALID, "The derived qualifier from the")
