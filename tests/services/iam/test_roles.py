"""Roles: trust, sessions, service-linked ones, deletion."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.iam.documents import LAMBDA, READ, allow, policy, trust


def test_a_role_is_shown_as_it_was_made(aws: Aws, iam: Any) -> None:
    made = iam.create_role(
        RoleName="Worker",
        Path="/service/",
        AssumeRolePolicyDocument=LAMBDA,
        Description="works",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "x"}],
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{aws.account}:role/service/Worker"
    assert re.fullmatch("AROA[A-Z2-7]{17}", made["RoleId"])
    assert made["AssumeRolePolicyDocument"] == json.loads(LAMBDA)
    shown = iam.get_role(RoleName="worker")["Role"]
    assert shown == {**made, "RoleLastUsed": {}}
    listed = iam.list_roles(PathPrefix="/service/")["Roles"]
    assert listed == [{name: value for name, value in made.items() if name != "Tags"}]
    assert iam.list_roles(PathPrefix="/other/")["Roles"] == []


def test_documents_are_percent_encoded(aws: Aws, iam: Any) -> None:
    taken: list[bytes] = []
    iam.meta.events.register("after-call.iam.GetRole", lambda http_response, **_: taken.append(http_response.content))
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    iam.get_role(RoleName="r")
    assert b"<AssumeRolePolicyDocument>%7B%22Version%22%3A%20%222012-10-17%22%2C%20" in taken[0]


def test_a_role_is_changed(iam: Any) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    iam.update_role(RoleName="r", Description="d", MaxSessionDuration=43200)
    iam.update_role(RoleName="r")
    role = iam.get_role(RoleName="r")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("d", 43200)
    assert iam.update_role_description(RoleName="r", Description="e")["Role"]["Description"] == "e"
    other = trust({"AWS": "arn:aws:iam::123456789012:root"})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=other)
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == json.loads(other)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (policy({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
        (
            policy({**allow("sts:AssumeRole"), "Principal": "*"}),
            "Has prohibited field Resource",
        ),
        (
            policy({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (trust({"AWS": "nobody"}), 'Invalid principal in policy: "AWS":"nobody"'),
    ],
)
def test_a_trust_policy_says_who_may_assume_the_role(iam: Any, document: str, message: str) -> None:
    answer = refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=document)
    assert answer == ("MalformedPolicyDocument", message)


def test_trust_policies_have_a_size(iam: Any) -> None:
    long = policy({"Sid": "a" * 2048, "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
    answer = refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=long)
    assert answer == ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")


def test_sessions_last_an_hour_at_least(aws: Aws) -> None:
    iam = aws.client("iam", config=Config(parameter_validation=False))
    code = code_of(iam.create_role, RoleName="r", AssumeRolePolicyDocument=LAMBDA, MaxSessionDuration=3599)
    assert code == "ValidationError"


def test_there_is_no_console_to_sign_in_to(iam: Any) -> None:
    code = code_of(iam.create_role, RoleName="r", AssumeRolePolicyDocument=LAMBDA, MaxSigninSessionDuration=3600)
    assert code == "NotImplemented"


def test_roles_of_services_are_not_made_so(iam: Any) -> None:
    path = "/aws-service-role/ecs.amazonaws.com/"
    assert code_of(iam.create_role, RoleName="r", Path=path, AssumeRolePolicyDocument=LAMBDA) == "InvalidInput"


def test_a_role_is_deleted_once_nothing_hangs_on_it(iam: Any) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=READ)
    for what, remove in (
        (
            "remove roles from instance profile",
            lambda: iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName="r"),
        ),
        ("detach all policies", lambda: iam.detach_role_policy(RoleName="r", PolicyArn=arn)),
        ("delete policies", lambda: iam.delete_role_policy(RoleName="r", PolicyName="p")),
    ):
        message = f"Cannot delete entity, must {what} first."
        assert refused(iam.delete_role, RoleName="r") == ("DeleteConflict", message)
        remove()
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=arn)
    iam.delete_role(RoleName="r")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 0
    assert refused(iam.get_role, RoleName="r") == ("NoSuchEntity", "The role with name r cannot be found.")


def test_roles_of_services_are_theirs_to_change(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    role = {"RoleName": "AWSServiceRoleForECS"}
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    for call, params in (
        (iam.update_assume_role_policy, {"PolicyDocument": LAMBDA}),
        (iam.update_role, {"MaxSessionDuration": 7200}),
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": READ}),
        (iam.attach_role_policy, {"PolicyArn": arn}),
        (iam.put_role_permissions_boundary, {"PermissionsBoundary": arn}),
    ):
        code, message = refused(call, **role, **params)
        assert code == "UnmodifiableEntity"
        assert message.endswith("the protected role 'AWSServiceRoleForECS' - this role is only modifiable by AWS")
    iam.update_role(**role, Description="runs tasks")
    assert iam.get_role(**role)["Role"]["Description"] == "runs tasks"
