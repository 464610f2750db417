"""Managed policies: versions, attachments, boundaries."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.iam.documents import LAMBDA, READ, allow, policy
from tests.services.iam.owners import KINDS, Owner


def _create(iam: Any, name: str = "p", **more: Any) -> str:
    arn: str = iam.create_policy(PolicyName=name, PolicyDocument=READ, **more)["Policy"]["Arn"]
    return arn


def test_a_policy_is_shown_as_it_was_made(aws: Aws, iam: Any) -> None:
    made = iam.create_policy(PolicyName="Reading", Path="/x/", PolicyDocument=READ, Description="reads")["Policy"]
    assert made["Arn"] == f"arn:aws:iam::{aws.account}:policy/x/Reading"
    assert re.fullmatch("ANPA[A-Z2-7]{17}", made["PolicyId"])
    assert (made["DefaultVersionId"], made["AttachmentCount"], made["IsAttachable"]) == ("v1", 0, True)
    shown = iam.get_policy(PolicyArn=made["Arn"])["Policy"]
    assert shown == {**made, "Description": "reads", "Tags": []}
    assert iam.list_policies(Scope="Local")["Policies"] == [made]
    assert iam.list_policies(Scope="Local", PathPrefix="/y/")["Policies"] == []
    version = iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(READ)
    assert version["IsDefaultVersion"]


def test_names_are_unique(iam: Any) -> None:
    _create(iam)
    assert refused(iam.create_policy, PolicyName="P", Path="/x/", PolicyDocument=READ) == (
        "EntityAlreadyExists",
        "A policy called P already exists. Duplicate names are not allowed.",
    )


def test_a_policy_has_five_versions_at_most(iam: Any) -> None:
    arn = _create(iam)
    for number in range(2, 6):
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ, SetAsDefault=number == 3)
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
        assert made["PolicyVersion"]["IsDefaultVersion"] == (number == 3)
    answer = refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=READ)
    assert answer[0] == "LimitExceeded"
    assert answer[1].startswith("A managed policy can have up to 5 versions.")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [each["VersionId"] for each in listed] == ["v5", "v4", "v3", "v2", "v1"]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    # No number is given again.
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("s3:*")))
    assert made["PolicyVersion"]["VersionId"] == "v6"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v6")
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v6") == (
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
    )
    for call in (iam.get_policy_version, iam.delete_policy_version, iam.set_default_policy_version):
        assert code_of(call, PolicyArn=arn, VersionId="v5") == "NoSuchEntity"


def test_a_policy_has_a_size(iam: Any) -> None:
    long = policy(allow("a:b", Sid="x" * 6144))
    expected = ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    assert refused(iam.create_policy, PolicyName="p", PolicyDocument=long) == expected
    assert refused(iam.create_policy_version, PolicyArn=_create(iam), PolicyDocument=long) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_policies_are_attached_and_detached(iam: Any, kind: str) -> None:
    owner = Owner(iam, kind).create()
    arn = _create(iam, Path="/x/")
    for _ in range(2):
        owner.call("attach_{}_policy", PolicyArn=arn)
    attached = [{"PolicyName": "p", "PolicyArn": arn}]
    assert owner.call("list_attached_{}_policies")["AttachedPolicies"] == attached
    assert owner.call("list_attached_{}_policies", PathPrefix="/x/")["AttachedPolicies"] == attached
    assert owner.call("list_attached_{}_policies", PathPrefix="/y/")["AttachedPolicies"] == []
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert iam.list_policies(OnlyAttached=True, Scope="Local")["Policies"][0]["Arn"] == arn
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [each[f"{kind.title()}Name"] for each in entities[f"Policy{kind.title()}s"]] == ["o"]
    assert refused(iam.delete_policy, PolicyArn=arn) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )
    owner.call("detach_{}_policy", PolicyArn=arn)
    missing = ("NoSuchEntity", f"Policy {arn} was not found.")
    assert refused(owner.call, "detach_{}_policy", PolicyArn=arn) == missing
    assert iam.list_policies(OnlyAttached=True, Scope="Local")["Policies"] == []
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn) == missing
    assert refused(owner.call, "attach_{}_policy", PolicyArn=arn) == (
        "NoSuchEntity",
        f"Policy {arn} does not exist or is not attachable.",
    )
    wrong = "arn:aws:sqs:us-east-1:123456789012:q"
    assert refused(owner.call, "attach_{}_policy", PolicyArn=wrong) == ("InvalidInput", f"ARN {wrong} is not valid.")


@pytest.mark.parametrize("kind", KINDS)
def test_ten_policies_are_attached_at_most(iam: Any, kind: str) -> None:
    owner = Owner(iam, kind).create()
    for number in range(10):
        owner.call("attach_{}_policy", PolicyArn=_create(iam, f"p{number}"))
    answer = refused(owner.call, "attach_{}_policy", PolicyArn=_create(iam, "p10"))
    assert answer == ("LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind.title()}: 10")


def test_a_policy_of_another_path_or_account_is_another_one(iam: Any) -> None:
    arn = _create(iam)
    for other in (arn.replace(":policy/", ":policy/x/"), "arn:aws:iam::999999999999:policy/p"):
        assert code_of(iam.get_policy, PolicyArn=other) == "NoSuchEntity"


@pytest.mark.parametrize("kind", ["user", "role"])
def test_a_policy_is_a_boundary(iam: Any, kind: str) -> None:
    arn, other = _create(iam), _create(iam, "q")
    params: dict[str, Any] = {"AssumeRolePolicyDocument": LAMBDA} if kind == "role" else {}
    owner = Owner(iam, kind)
    made = owner.call("create_{}", PermissionsBoundary=arn, **params)[kind.title()]
    shown = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}
    assert made["PermissionsBoundary"] == shown
    assert owner.call("get_{}")[kind.title()]["PermissionsBoundary"] == shown
    counted = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (counted["AttachmentCount"], counted["PermissionsBoundaryUsageCount"]) == (0, 1)
    assert code_of(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    listed = iam.list_policies(PolicyUsageFilter="PermissionsBoundary", Scope="Local")["Policies"]
    assert [each["Arn"] for each in listed] == [arn]
    assert iam.list_policies(PolicyUsageFilter="PermissionsPolicy", Scope="Local")["Policies"] == []
    owner.call("put_{}_permissions_boundary", PermissionsBoundary=other)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 0
    owner.call("delete_{}_permissions_boundary")
    assert code_of(owner.call, "delete_{}_permissions_boundary") == "NoSuchEntity"
    iam.delete_policy(PolicyArn=arn)
    assert refused(owner.call, "put_{}_permissions_boundary", PermissionsBoundary=arn) == (
        "NoSuchEntity",
        f"Scope ARN: {arn} does not exist or is not attachable.",
    )


def test_a_failed_creation_leaves_nothing(aws: Aws, iam: Any) -> None:
    boundary = f"arn:aws:iam::{aws.account}:policy/none"
    assert code_of(iam.create_user, UserName="Ann", PermissionsBoundary=boundary) == "NoSuchEntity"
    assert iam.list_users()["Users"] == []


def test_entities_are_filtered(iam: Any) -> None:
    arn = _create(iam)
    for kind in KINDS:
        Owner(iam, kind).create().call("attach_{}_policy", PolicyArn=arn)
    iam.create_user(UserName="bounded", Path="/x/", PermissionsBoundary=arn)

    def list_names(**filters: str) -> set[str]:
        answer = iam.list_entities_for_policy(PolicyArn=arn, **filters)
        return {f"{kind} {each[f'{kind.title()}Name']}" for kind in KINDS for each in answer[f"Policy{kind.title()}s"]}

    assert list_names() == {"user o", "group o", "role o", "user bounded"}
    assert list_names(EntityFilter="Role") == {"role o"}
    assert list_names(PathPrefix="/x/") == {"user bounded"}
    assert list_names(PolicyUsageFilter="PermissionsBoundary") == {"user bounded"}
    assert list_names(PolicyUsageFilter="PermissionsPolicy") == {"user o", "group o", "role o"}


def test_a_policy_is_deleted_after_its_versions(iam: Any) -> None:
    arn = _create(iam)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ)
    answer = refused(iam.delete_policy, PolicyArn=arn)
    assert answer[0] == "DeleteConflict"
    assert answer[1].startswith("This policy has more than one version.")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)


def test_policies_of_aws_are_attached_like_others(iam: Any) -> None:
    of_aws = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    own = _create(iam, "ReadOnlyAccess")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    for arn in (own, of_aws):
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    page = iam.list_attached_role_policies(RoleName="r", MaxItems=1)
    rest = iam.list_attached_role_policies(RoleName="r", Marker=page["Marker"])
    assert {each["PolicyArn"] for each in page["AttachedPolicies"] + rest["AttachedPolicies"]} == {own, of_aws}
    assert iam.get_policy(PolicyArn=of_aws)["Policy"]["AttachmentCount"] == 1
    listed = iam.list_policies(Scope="AWS", OnlyAttached=True)["Policies"]
    assert [each["Arn"] for each in listed] == [of_aws]
    details = iam.get_account_authorization_details(Filter=["AWSManagedPolicy"])["Policies"]
    assert details[0]["PolicyVersionList"][0]["Document"]["Statement"]
    of_service = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    assert refused(iam.attach_role_policy, RoleName="r", PolicyArn=of_service) == (
        "PolicyNotAttachable",
        "Cannot attach a Service Role Policy to a Customer Role.",
    )
    code = code_of(iam.put_role_permissions_boundary, RoleName="r", PermissionsBoundary=of_service)
    assert code == "PolicyNotAttachable"


def test_policies_of_aws_are_not_changed(iam: Any) -> None:
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert code_of(iam.delete_policy, PolicyArn=arn) == "AccessDenied"
    assert code_of(iam.create_policy_version, PolicyArn=arn, PolicyDocument=READ) == "AccessDenied"
