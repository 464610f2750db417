"""Policies of functions, in AWS's words, and tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.lambda_.cloud import FunctionCloud

INVALID = "InvalidParameterValueException"
BUCKET: dict[str, Any] = {
    "FunctionName": "f",
    "StatementId": "s3",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "SourceArn": "arn:aws:s3:::photos",
    "SourceAccount": "123456789012",
}


def test_a_statement_is_as_aws_makes_it(cloud: FunctionCloud) -> None:
    cloud.function()
    added = cloud.client.add_permission(**BUCKET)
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    statement = {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": cloud.arn(),
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::photos"},
        },
    }
    assert json.loads(added["Statement"]) == statement
    shown = cloud.client.get_policy(FunctionName="f")
    assert json.loads(shown["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}


@pytest.mark.parametrize(
    ("given", "principal", "condition"),
    [
        ({"Principal": "123456789012"}, {"AWS": "arn:aws:iam::123456789012:root"}, None),
        (
            {"Principal": "arn:aws:iam::123456789012:user/ann"},
            {"AWS": "arn:aws:iam::123456789012:user/ann"},
            None,
        ),
        (
            {"Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
            "*",
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        ),
        (
            {"Principal": "*", "InvokedViaFunctionUrl": True},
            "*",
            {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
        ),
        (
            {"Principal": "*", "PrincipalOrgID": "o-1234567890"},
            "*",
            {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
        ),
        (
            {"Principal": "alexa-appkit.amazon.com", "EventSourceToken": "skill"},
            {"Service": "alexa-appkit.amazon.com"},
            {"StringEquals": {"lambda:EventSourceToken": "skill"}},
        ),
    ],
)
def test_who_is_permitted_and_when(
    cloud: FunctionCloud, given: dict[str, Any], principal: Any, condition: dict[str, Any] | None
) -> None:
    cloud.function()
    base = {"FunctionName": "f", "StatementId": "x", "Action": "lambda:InvokeFunction"}
    statement = json.loads(cloud.client.add_permission(**{**base, **given})["Statement"])
    assert statement["Principal"] == principal
    assert statement.get("Condition") == condition


def test_each_qualifier_has_a_policy_of_its_own(cloud: FunctionCloud) -> None:
    cloud.function(Publish=True)
    cloud.client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    added = cloud.client.add_permission(**BUCKET, Qualifier="live")
    assert json.loads(added["Statement"])["Resource"] == f"{cloud.arn()}:live"
    assert cloud.refused("get_policy", FunctionName="f")[0] == "ResourceNotFoundException"
    assert "s3" in cloud.client.get_policy(FunctionName="f", Qualifier="live")["Policy"]
    cloud.client.delete_alias(FunctionName="f", Name="live")
    cloud.client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert cloud.refused("get_policy", FunctionName="f", Qualifier="live")[0] == "ResourceNotFoundException"


def test_permissions_are_removed(cloud: FunctionCloud) -> None:
    cloud.function()
    cloud.client.add_permission(**BUCKET)
    cloud.client.add_permission(**{**BUCKET, "StatementId": "other"})
    cloud.client.remove_permission(FunctionName="f", StatementId="s3")
    policy = json.loads(cloud.client.get_policy(FunctionName="f")["Policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["other"]
    assert cloud.refused("remove_permission", FunctionName="f", StatementId="s3")[:2] == (
        "ResourceNotFoundException",
        "Statement s3 is not found in resource policy.",
    )
    cloud.client.remove_permission(FunctionName="f", StatementId="other")
    assert cloud.refused("remove_permission", FunctionName="f", StatementId="other")[:2] == (
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"FunctionName": "none"}, "ResourceNotFoundException", "Function not found: "),
        ({"Qualifier": "$LATEST"}, INVALID, "We currently do not support adding policies for $LATEST."),
        ({"Principal": "nobody"}, INVALID, "The provided principal was invalid."),
        (
            {"FunctionUrlAuthType": "NONE"},
            INVALID,
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl",
        ),
        ({"RevisionId": "old"}, "PreconditionFailedException", "does not match the latest Revision Id"),
        ({"Action": "s3:GetObject"}, "ValidationException", "at 'action' failed to satisfy constraint"),
    ],
)
def test_what_permits_nothing_is_refused(
    cloud: FunctionCloud, changes: dict[str, Any], code: str, message: str
) -> None:
    cloud.function(wait=False)
    found, text, _ = cloud.refused("add_permission", **{**BUCKET, **changes})
    assert (found, message in text) == (code, True), text


def test_a_statement_is_added_once(cloud: FunctionCloud) -> None:
    cloud.function(wait=False)
    cloud.client.add_permission(**BUCKET)
    code, message, status = cloud.refused("add_permission", **BUCKET)
    assert (code, status) == ("ResourceConflictException", 409)
    assert message[:47] == "The statement id (s3) provided already exists. "


def test_a_policy_has_a_limit(cloud: FunctionCloud) -> None:
    cloud.function(wait=False)
    long = f"arn:aws:s3:::{'x' * 9000}"
    for number in range(2):
        cloud.client.add_permission(**{**BUCKET, "StatementId": f"s{number}", "SourceArn": long})
    code, message, _ = cloud.refused("add_permission", **{**BUCKET, "StatementId": "s2", "SourceArn": long})
    assert (code, "is bigger than the limit (20480)." in message) == ("PolicyLengthExceededException", True)


def test_a_policy_is_put_as_a_whole(cloud: FunctionCloud) -> None:
    cloud.function(wait=False)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "123456789012"},
        "Action": "lambda:InvokeFunction",
        "Resource": cloud.arn(),
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    put = cloud.client.put_resource_policy(ResourceArn=cloud.arn(), Policy=text)
    shown = cloud.client.get_resource_policy(ResourceArn=cloud.arn())
    assert (shown["Policy"], shown["RevisionId"]) == (text, put["RevisionId"])
    cloud.client.add_permission(**BUCKET)
    both = json.loads(cloud.client.get_policy(FunctionName="f")["Policy"])["Statement"]
    assert [each.get("Sid") for each in both] == [None, "s3"]
    stale = {"ResourceArn": cloud.arn(), "RevisionId": put["RevisionId"]}
    assert cloud.refused("delete_resource_policy", **stale)[::2] == ("PreconditionFailedException", 412)
    assert cloud.refused("put_resource_policy", **stale, Policy=text)[::2] == ("PreconditionFailedException", 412)
    for wrong in ("{", "{}", '{"Statement": []}'):
        assert cloud.refused("put_resource_policy", ResourceArn=cloud.arn(), Policy=wrong)[0] == INVALID, wrong
    cloud.client.delete_resource_policy(ResourceArn=cloud.arn())
    for operation in ("get_resource_policy", "delete_resource_policy"):
        assert cloud.refused(operation, ResourceArn=cloud.arn())[0] == "ResourceNotFoundException"


def test_tags_are_added_and_removed(cloud: FunctionCloud) -> None:
    arn = cloud.function(Tags={"team": "shop"}, wait=False)["FunctionArn"]
    cloud.client.tag_resource(Resource=arn, Tags={"stage": "test", "team": "all"})
    assert cloud.client.list_tags(Resource=arn)["Tags"] == {"team": "all", "stage": "test"}
    cloud.client.untag_resource(Resource=arn, TagKeys=["team"])
    assert cloud.client.list_tags(Resource=arn)["Tags"] == {"stage": "test"}


@pytest.mark.parametrize(
    ("resource", "code", "message"),
    [
        ("function:none", "ResourceNotFoundException", "Function not found: "),
        ("function:f:1", INVALID, "Tags on function aliases and versions are not supported."),
    ],
)
def test_what_has_no_tags(cloud: FunctionCloud, resource: str, code: str, message: str) -> None:
    found, text, _ = cloud.refused("tag_resource", Resource=f"{cloud.prefix}:{resource}", Tags={"a": "b"})
    assert (found, message in text) == (code, True), text


def test_tags_have_limits(cloud: FunctionCloud) -> None:
    arn = cloud.function(wait=False)["FunctionArn"]
    many = {f"k{number}": "v" for number in range(51)}
    for tags in (many, {"aws:x": "y"}):
        assert cloud.refused("tag_resource", Resource=arn, Tags=tags)[0] == INVALID, tags
