"""Permissions: what resource policies allow other accounts, and which condition keys there are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.core.kernel.identity import root
from tests.services.ssm.local import ACCOUNT, OTHER, LocalSsm, strict

__all__ = ["strict"]

ARN = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/a/b"
STRANGER = root(OTHER)


def _share(ssm: LocalSsm, action: str, *, effect: str = "Allow", account: str = OTHER, **condition: Any) -> None:
    """Give the parameter /a/b a policy."""
    statement = {"Effect": effect, "Principal": {"AWS": account}, "Action": action, "Resource": ARN}
    if condition:
        statement["Condition"] = condition
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    ssm.call("PutResourcePolicy", ResourceArn=ARN, Policy=document)


@pytest.fixture
def shared(strict: LocalSsm) -> LocalSsm:
    """An advanced parameter with a tag, which nobody shares yet."""
    strict.put("/a/b", Tier="Advanced", Tags=[{"Key": "team", "Value": "red"}])
    return strict


def test_other_accounts_need_a_policy(shared: LocalSsm) -> None:
    denied = shared.refused("GetParameter", by=STRANGER, Name=ARN)
    assert denied.code == "AccessDeniedException"
    assert denied.message.startswith(
        f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: ssm:GetParameter on resource: {ARN}"
    )
    _share(shared, "ssm:GetParameter")
    assert shared.call("GetParameter", by=STRANGER, Name=ARN)["Parameter"]["Value"] == "v"
    assert shared.refused("GetParameterHistory", by=STRANGER, Name=ARN).code == "AccessDeniedException"
    several = shared.refused("GetParameters", by=STRANGER, Names=[ARN])
    assert several.code == "AccessDeniedException", "each action by itself"
    assert shared.refused("GetParameter", by=STRANGER, Name="/a/b").code == "ParameterNotFound"


def test_who_may_not_read_learns_not_what_is_there(shared: LocalSsm) -> None:
    absent = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/none"
    assert shared.refused("GetParameter", by=STRANGER, Name=absent).code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("action", "condition", "call", "allowed"),
    [
        ("PutParameter", {"StringEquals": {"ssm:Overwrite": "true"}}, {"Overwrite": True}, False),
        ("PutParameter", {"StringEquals": {"ssm:Overwrite": "false"}}, {"Overwrite": True}, True),
        ("PutParameter", {"Null": {"ssm:Policies": "false"}}, {"Overwrite": True, "Policies": "[{}]"}, False),
        ("PutParameter", {"Null": {"ssm:Policies": "false"}}, {"Overwrite": True}, True),
        ("PutParameter", {"StringEquals": {"ssm:resourceTag/team": "red"}}, {"Overwrite": True}, False),
        ("PutParameter", {"StringEquals": {"aws:ResourceTag/team": "blue"}}, {"Overwrite": True}, True),
    ],
)
def test_puts_have_condition_keys(
    shared: LocalSsm, action: str, condition: dict[str, Any], call: dict[str, Any], allowed: bool
) -> None:
    _share(shared, f"ssm:{action}", effect="Deny", account=ACCOUNT, **condition)
    params = {"Name": "/a/b", "Value": "w", **call}
    if allowed:
        assert shared.call(action, **params)["Version"] == 2
    else:
        assert "explicit deny" in shared.refused(action, **params).message


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("GetParameter", {"Name": "/a/b"}),
        ("GetParameters", {"Names": ["/a/b"]}),
        ("GetParameterHistory", {"Name": "/a/b"}),
        ("DeleteParameter", {"Name": "/a/b"}),
        ("DeleteParameters", {"Names": ["/a/b"]}),
        ("LabelParameterVersion", {"Name": "/a/b", "Labels": ["x"]}),
        ("UnlabelParameterVersion", {"Name": "/a/b", "ParameterVersion": 1, "Labels": ["x"]}),
        ("ListTagsForResource", {"ResourceType": "Parameter", "ResourceId": "/a/b"}),
        ("RemoveTagsFromResource", {"ResourceType": "Parameter", "ResourceId": "/a/b", "TagKeys": ["team"]}),
        (
            "AddTagsToResource",
            {"ResourceType": "Parameter", "ResourceId": "/a/b", "Tags": [{"Key": "k", "Value": "v"}]},
        ),
        ("GetResourcePolicies", {"ResourceArn": ARN}),
    ],
)
def test_each_operation_is_decided_for_the_parameter(shared: LocalSsm, operation: str, params: dict[str, Any]) -> None:
    _share(shared, f"ssm:{operation}", effect="Deny", account=ACCOUNT)
    assert "explicit deny" in shared.refused(operation, **params).message


def test_ones_own_account_may_list_and_set(shared: LocalSsm) -> None:
    assert len(shared.call("DescribeParameters")["Parameters"]) == 1
    assert len(shared.call("GetParametersByPath", Path="/", Recursive=True)["Parameters"]) == 1
    setting = "/ssm/parameter-store/high-throughput-enabled"
    shared.call("UpdateServiceSetting", SettingId=setting, SettingValue="true")
    region = "/aws/service/global-infrastructure/regions/us-east-1"
    assert shared.call("GetParameter", Name=region)["Parameter"]["Value"] == "us-east-1"
