"""Resource policies, by which parameters are shared with other accounts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Server
from tests.refused import code_of
from tests.services.ssm.cloud import SsmCloud

OTHER = "210987654321"


def policy(actions: str = "ssm:GetParameter", resource: str = "*") -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": actions, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.fixture
def of_a(cloud: SsmCloud) -> dict[str, Any]:
    """An advanced parameter, as requests name it."""
    cloud.put("/a", Tier="Advanced")
    return {"ResourceArn": cloud.arn("/a")}


def test_a_policy_is_put_shown_replaced_and_deleted(cloud: SsmCloud, of_a: dict[str, Any]) -> None:
    made = cloud.ssm.put_resource_policy(**of_a, Policy=policy())
    own = {"PolicyId": made["PolicyId"], "PolicyHash": made["PolicyHash"]}
    assert cloud.ssm.get_resource_policies(**of_a)["Policies"] == [{**own, "Policy": policy()}]
    assert code_of(cloud.ssm.put_resource_policy, **of_a, Policy=policy()) == "ResourcePolicyLimitExceededException"
    again = cloud.ssm.put_resource_policy(**of_a, **own, Policy=policy("ssm:GetParameters"))
    assert again["PolicyId"] == own["PolicyId"]
    assert code_of(cloud.ssm.delete_resource_policy, **of_a, **own) == "ResourcePolicyConflictException"
    other = {"PolicyId": "other", "PolicyHash": own["PolicyHash"]}
    assert code_of(cloud.ssm.delete_resource_policy, **of_a, **other) == "ResourcePolicyNotFoundException"
    cloud.update("/a")
    current = {"PolicyId": again["PolicyId"], "PolicyHash": again["PolicyHash"]}
    cloud.ssm.delete_resource_policy(**of_a, **current)
    assert cloud.ssm.get_resource_policies(**of_a)["Policies"] == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Policy": "{"}, "MalformedResourcePolicyDocumentException"),
        ({"Policy": policy(resource="x" * 1024)}, "ResourcePolicyLimitExceededException"),
        ({"Policy": policy(), "PolicyId": "p"}, "ResourcePolicyInvalidParameterException"),
        ({"Policy": policy(), "PolicyId": "p", "PolicyHash": "h"}, "ResourcePolicyNotFoundException"),
    ],
)
def test_policies_that_make_no_sense_are_refused(
    cloud: SsmCloud, of_a: dict[str, Any], more: dict[str, str], code: str
) -> None:
    assert code_of(cloud.ssm.put_resource_policy, **of_a, **more) == code


def test_only_advanced_parameters_of_ones_own_are_shared(cloud: SsmCloud) -> None:
    def share(arn: str) -> str:
        return code_of(cloud.ssm.put_resource_policy, ResourceArn=arn, Policy=policy())

    cloud.put("/standard")
    cloud.put("/secret", Type="SecureString", Tier="Advanced")
    wrong = "ResourcePolicyInvalidParameterException"
    assert share(cloud.arn("/standard")) == wrong
    assert share(cloud.arn("/secret")) == wrong, "its key is managed by AWS"
    assert share(f"arn:aws:ssm:us-east-1:{OTHER}:parameter/a") == wrong
    assert share("arn:aws:ssm:us-east-1:123456789012:opsitemgroup/default") == wrong
    assert share(cloud.arn("/none")) == "ResourceNotFoundException"
    cloud.put("/a", Tier="Advanced")
    listed = {"ResourceArn": cloud.arn("/a"), "NextToken": "t"}
    assert code_of(cloud.ssm.get_resource_policies, **listed) == wrong


def test_a_shared_secret_is_read_with_a_key_that_is_shared_too(cloud: SsmCloud, cloudlet_server: Server) -> None:
    kms = cloud.aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    cloud.put("/secret", "hunter2", Type="SecureString", Tier="Advanced", KeyId=key)
    with cloudlet_server.account() as other:
        share = policy("ssm:GetParameter", cloud.arn("/secret")).replace(OTHER, other.account)
        cloud.ssm.put_resource_policy(ResourceArn=cloud.arn("/secret"), Policy=share)
        both = {"AWS": [cloud.account, other.account]}
        statement = {"Effect": "Allow", "Principal": both, "Action": "kms:*", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": statement}
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(document))
        stranger = other.client("ssm")
        found = stranger.get_parameter(Name=cloud.arn("/secret"), WithDecryption=True)["Parameter"]
    assert (found["Value"], found["ARN"]) == ("hunter2", cloud.arn("/secret"))
