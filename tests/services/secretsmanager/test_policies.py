"""Resource policies of secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.secretsmanager.cloud import SecretCloud


def make_policy(principal: Any, action: str = "secretsmanager:GetSecretValue", **more: Any) -> str:
    """Return a policy of one statement."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_policy_is_put_read_and_deleted(cloud: SecretCloud) -> None:
    arn = cloud.create()
    policy = make_policy({"AWS": "arn:aws:iam::000000000001:root"})
    assert "ResourcePolicy" not in cloud.client.get_resource_policy(SecretId="s")
    put = cloud.client.put_resource_policy(SecretId="s", ResourcePolicy=policy)
    assert (put["ARN"], put["Name"], put["PolicyName"]) == (arn, "s", "default")
    assert cloud.client.get_resource_policy(SecretId="s")["ResourcePolicy"] == policy
    assert cloud.client.list_resource_policies(SecretId="s")["ResourcePolicies"] == [{"PolicyName": "default"}]
    cloud.client.delete_resource_policy(SecretId="s")
    assert "ResourcePolicy" not in cloud.client.get_resource_policy(SecretId="s")
    assert cloud.client.list_resource_policies(SecretId="s")["ResourcePolicies"] == []


def test_there_is_one_policy(cloud: SecretCloud) -> None:
    cloud.create()
    named = {"SecretId": "s", "PolicyName": "other"}
    policy = make_policy({"AWS": "000000000001"})
    assert cloud.refused("put_resource_policy", ResourcePolicy=policy, **named)[0] == "InvalidParameterException"
    assert cloud.refused("delete_resource_policy", **named)[0] == "InvalidParameterException"
    assert cloud.refused("get_resource_policy", **named)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("text", ["{", "[]", make_policy({"AWS": "nobody"}), '{"Version": "2012-10-17"}'])
def test_what_is_no_policy_is_refused(cloud: SecretCloud, text: str) -> None:
    cloud.create()
    assert cloud.refused("put_resource_policy", SecretId="s", ResourcePolicy=text)[0] == (
        "MalformedPolicyDocumentException"
    )
    assert cloud.refused("validate_resource_policy", ResourcePolicy=text)[0] == "MalformedPolicyDocumentException"


def test_a_policy_for_everybody_can_be_blocked(cloud: SecretCloud) -> None:
    cloud.create()
    public, limited = make_policy("*"), make_policy("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})
    put = {"SecretId": "s", "BlockPublicPolicy": True}
    assert cloud.refused("put_resource_policy", ResourcePolicy=public, **put)[0] == "PublicPolicyException"
    assert cloud.client.put_resource_policy(ResourcePolicy=limited, **put)
    assert cloud.client.put_resource_policy(SecretId="s", ResourcePolicy=public)


def test_a_policy_is_validated(cloud: SecretCloud) -> None:
    cloud.create()
    own = make_policy({"AWS": f"arn:aws:iam::{cloud.aws.account}:root"})
    passed = cloud.client.validate_resource_policy(SecretId="s", ResourcePolicy=own)
    assert (passed["PolicyValidationPassed"], passed["ValidationErrors"]) == (True, [])
    failed = cloud.client.validate_resource_policy(ResourcePolicy=make_policy("*"))
    assert not failed["PolicyValidationPassed"]
    assert failed["ValidationErrors"][0]["ErrorMessage"]
    lockout = make_policy({"AWS": cloud.aws.account}, "secretsmanager:*", Effect="Deny")
    failed = cloud.client.validate_resource_policy(SecretId="s", ResourcePolicy=lockout)
    assert [each["ErrorMessage"] for each in failed["ValidationErrors"]] == [
        "The resource policy locks out the caller."
    ]
