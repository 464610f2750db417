"""Roles of services: their names, policies and deletion."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.iam import aws_policies, service_linked_roles
from cloudlet.testing.server import Aws
from tests.refused import refused

_ECS = "ecs.amazonaws.com"


def test_a_service_has_a_role_of_a_fixed_name(aws: Aws, iam: Any) -> None:
    role = iam.create_service_linked_role(AWSServiceName=_ECS, Description="for tasks")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForECS"
    assert role["Arn"] == f"arn:aws:iam::{aws.account}:role/aws-service-role/{_ECS}/AWSServiceRoleForECS"
    assert role["Description"] == "for tasks"
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Principal": {"Service": _ECS}, "Action": "sts:AssumeRole"}
    (policy,) = iam.list_attached_role_policies(RoleName="AWSServiceRoleForECS")["AttachedPolicies"]
    assert policy["PolicyArn"] == "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    assert refused(iam.create_service_linked_role, AWSServiceName=_ECS) == (
        "InvalidInput",
        "Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix.",
    )


def test_some_services_have_several_roles(iam: Any) -> None:
    for suffix in ("one", "two"):
        role = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix=suffix)["Role"]
        assert role["RoleName"] == f"AWSServiceRoleForAutoScaling_{suffix}"
    assert refused(iam.create_service_linked_role, AWSServiceName=_ECS, CustomSuffix="one") == (
        "InvalidInput",
        f"Custom suffix is not allowed for {_ECS}",
    )


@pytest.mark.parametrize("principal", ["nothing.amazonaws.com", "ecs", "ecs.example.com"])
def test_other_principals_have_none(iam: Any, principal: str) -> None:
    assert refused(iam.create_service_linked_role, AWSServiceName=principal)[0] == "InvalidInput"


def test_only_the_service_changes_its_role(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=_ECS)
    assert refused(iam.delete_role, RoleName="AWSServiceRoleForECS")[0] == "UnmodifiableEntity"


def test_a_task_tells_that_a_role_was_deleted(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=_ECS)
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForECS")["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/{_ECS}/AWSServiceRoleForECS/")
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refused(iam.get_role, RoleName="AWSServiceRoleForECS")[0] == "NoSuchEntity"
    policy = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 0
    iam.create_service_linked_role(AWSServiceName=_ECS)


def test_a_task_that_there_never_was_is_not_found(iam: Any) -> None:
    assert refused(iam.get_service_linked_role_deletion_status, DeletionTaskId="task/a/b/c")[0] == "NoSuchEntity"


def test_other_roles_are_not_deleted_in_this_way(iam: Any) -> None:
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs.amazonaws.com"},'
        '"Action":"sts:AssumeRole"}]}'
    )
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument=trust)
    assert refused(iam.delete_service_linked_role, RoleName="mine")[0] == "InvalidInput"


@pytest.mark.parametrize("linked", service_linked_roles.SERVICES.values(), ids=lambda linked: linked.name)
def test_aws_has_the_policy_of_each_role(linked: service_linked_roles.RoleTemplate) -> None:
    assert aws_policies.find(f"arn:aws:iam::aws:policy/aws-service-role/{linked.policy}") is not None
