"""Layers: published in versions, used by functions, shared with others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws, fresh_account
from tests.services.lambda_.cloud import FunctionCloud, package
from tests.services.lambda_.programs import invoke, program

INVALID = "InvalidParameterValueException"
NOT_FOUND = ("ResourceNotFoundException", "The resource you requested does not exist.", 404)


def publish(cloud: FunctionCloud, name: str = "common", **more: Any) -> Any:
    """Publish a version of a layer."""
    content = {"ZipFile": package({"python/common.py": "x = 1"})}
    return cloud.client.publish_layer_version(**{"LayerName": name, "Content": content, **more})


def test_a_layer_is_shown_as_it_was_published(cloud: FunctionCloud) -> None:
    made = publish(
        cloud,
        Description="what all share",
        CompatibleRuntimes=["python3.13"],
        CompatibleArchitectures=["x86_64"],
        LicenseInfo="MIT",
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["LayerArn"] == f"{cloud.prefix}:layer:common"
    assert (made["LayerVersionArn"], made["Version"]) == (f"{cloud.prefix}:layer:common:1", 1)
    del made["ResponseMetadata"]
    assert made["Content"].pop("Location")
    for shown in (
        cloud.client.get_layer_version(LayerName="common", VersionNumber=1),
        cloud.client.get_layer_version(LayerName=made["LayerArn"], VersionNumber=1),
        cloud.client.get_layer_version_by_arn(Arn=made["LayerVersionArn"]),
    ):
        del shown["ResponseMetadata"]
        # The two may have been signed at different seconds.
        assert shown["Content"].pop("Location")
        assert shown == made


def test_layers_are_listed_by_what_they_are_for(cloud: FunctionCloud) -> None:
    publish(cloud, "b", CompatibleRuntimes=["python3.13"])
    publish(cloud, "b", CompatibleRuntimes=["nodejs22.x"])
    publish(cloud, "a", CompatibleArchitectures=["arm64"])

    def names(**asked: str) -> list[tuple[str, int]]:
        pages = cloud.client.get_paginator("list_layers").paginate(**asked, PaginationConfig={"PageSize": 1})
        return [(each["LayerName"], each["LatestMatchingVersion"]["Version"]) for p in pages for each in p["Layers"]]

    assert names() == [("a", 1), ("b", 2)]
    assert names(CompatibleRuntime="python3.13") == [("b", 1)]
    assert names(CompatibleArchitecture="arm64") == [("a", 1)]
    versions = cloud.client.list_layer_versions(LayerName="b")["LayerVersions"]
    assert [each["Version"] for each in versions] == [2, 1]


def test_a_deleted_layer_stays_with_the_functions_that_use_it(cloud: FunctionCloud) -> None:
    arn = publish(cloud)["LayerVersionArn"]
    made = cloud.function(Layers=[arn])
    assert made["Layers"][0]["Arn"] == arn
    cloud.client.delete_layer_version(LayerName="common", VersionNumber=1)
    assert cloud.refused("get_layer_version", LayerName="common", VersionNumber=1) == NOT_FOUND
    assert cloud.client.get_function_configuration(FunctionName="f")["Layers"][0]["Arn"] == arn
    assert cloud.client.list_layer_versions(LayerName="common")["LayerVersions"] == []
    assert publish(cloud)["Version"] == 2


def test_layers_of_a_function_are_replaced_as_a_whole(cloud: FunctionCloud) -> None:
    first, second = (publish(cloud, name)["LayerVersionArn"] for name in ("a", "b"))
    cloud.function(Layers=[first])
    changed = cloud.client.update_function_configuration(FunctionName="f", Layers=[second])
    assert [each["Arn"] for each in changed["Layers"]] == [second]
    cloud.wait()
    assert "Layers" not in cloud.client.update_function_configuration(FunctionName="f", Layers=[])


def test_a_function_has_five_layers_at_most(cloud: FunctionCloud) -> None:
    arns = [publish(cloud, f"l{number}")["LayerVersionArn"] for number in range(6)]
    cloud.function(Layers=arns[:5])
    code, message, _ = cloud.refused("update_function_configuration", FunctionName="f", Layers=arns)
    assert (code, message) == (INVALID, "Cannot reference more than 5 layers.")


def test_a_function_has_one_version_of_a_layer(cloud: FunctionCloud) -> None:
    arns = [publish(cloud)["LayerVersionArn"] for _ in range(2)]
    cloud.function()
    code, message, _ = cloud.refused("update_function_configuration", FunctionName="f", Layers=arns)
    assert (code, message[:45]) == (INVALID, "Two different versions of the same layer are ")


def test_permissions_of_a_layer_are_its_policy(cloud: FunctionCloud) -> None:
    arn = publish(cloud)["LayerVersionArn"]
    version: dict[str, Any] = {"LayerName": "common", "VersionNumber": 1}
    given = {**version, "StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    added = cloud.client.add_layer_version_permission(**given, OrganizationId="o-1234567890")
    statement = {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
    }
    assert json.loads(added["Statement"]) == statement
    shown = cloud.client.get_layer_version_policy(**version)
    assert json.loads(shown["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert shown["RevisionId"] == added["RevisionId"]
    assert cloud.refused("add_layer_version_permission", **given)[::2] == ("ResourceConflictException", 409)
    stale = {**given, "StatementId": "more", "RevisionId": "old"}
    assert cloud.refused("add_layer_version_permission", **stale)[::2] == ("PreconditionFailedException", 412)
    cloud.client.remove_layer_version_permission(**version, StatementId="all")
    code, message, _ = cloud.refused("get_layer_version_policy", **version)
    assert (code, message) == ("ResourceNotFoundException", "No policy is associated with the given resource.")


def test_a_layer_of_another_account_can_be_used(cloud: FunctionCloud) -> None:
    made = publish(cloud)
    arn, version = made["LayerVersionArn"], {"LayerName": "common", "VersionNumber": made["Version"]}
    given = {"StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    cloud.client.add_layer_version_permission(**version, **given)
    other = FunctionCloud(Aws(cloud.aws.endpoint, fresh_account()))
    assert other.function(Layers=[arn])["Layers"][0]["Arn"] == arn


@pytest.mark.parametrize(
    ("content", "message"),
    [({"ZipFile": b"x"}, "Could not unzip uploaded file."), ({}, "Please provide a source for function code.")],
)
def test_what_is_no_package_is_refused(cloud: FunctionCloud, content: dict[str, Any], message: str) -> None:
    code, text, _ = cloud.refused("publish_layer_version", LayerName="common", Content=content)
    assert (code, message in text) == (INVALID, True)


def test_a_list_of_layers_needs_a_marker_of_its_own(cloud: FunctionCloud) -> None:
    for marker in ("?", "abcd"):
        assert cloud.refused("list_layers", Marker=marker)[0] == INVALID


def test_node_finds_modules_in_layers(cloud: FunctionCloud, node_runtime: str) -> None:
    major = node_runtime.removeprefix("nodejs").removesuffix(".x")
    layers = []
    for name, folder in (("one", "nodejs/node_modules"), ("two", f"nodejs/node{major}/node_modules")):
        content = {"ZipFile": program({f"{folder}/{name}.js": "exports.v = 1"})}
        layers.append(cloud.client.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"])
    source = "exports.handler = async () => require('one').v + require('two').v;"
    code = {"ZipFile": program({"index.js": source})}
    cloud.function(Runtime=node_runtime, Code=code, Layers=layers)
    assert invoke(cloud).value == 2
