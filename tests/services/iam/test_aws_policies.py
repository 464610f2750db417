"""The managed policies of AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.services.iam import aws_policies
from tests.refused import code_of
from tests.services.iam.documents import allow, policy

_READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def test_a_policy_of_aws_is_found_by_its_arn() -> None:
    policy = aws_policies.find(_READ_ONLY)
    assert policy is not None
    assert (policy.arn, policy.name, policy.path, policy.account) == (_READ_ONLY, "AmazonS3ReadOnlyAccess", "/", "aws")
    assert policy.default >= 3
    assert policy.created == 1423248059
    assert policy.updated > policy.created
    (statement,) = json.loads(policy.document)["Statement"]
    assert "s3:Get*" in statement["Action"]


def test_an_id_stays_the_same() -> None:
    first, second = aws_policies.find(_READ_ONLY), aws_policies.find(_READ_ONLY)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert first.id.startswith("ANPA")
    assert len(first.id) == 21


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::aws:policy/Missing", "arn:aws:iam::123456789012:policy/AmazonS3ReadOnlyAccess", "nothing"]
)
def test_what_aws_does_not_have_is_not_found(arn: str) -> None:
    assert aws_policies.find(arn) is None


def test_each_partition_has_the_policies() -> None:
    policy = aws_policies.find("arn:aws-cn:iam::aws:policy/AdministratorAccess")
    assert policy is not None
    assert policy.arn == "arn:aws-cn:iam::aws:policy/AdministratorAccess"


def test_all_are_listed_in_the_order_of_names_without_documents() -> None:
    listed = aws_policies.list_all()
    assert len(listed) > 1500
    assert [policy.key for policy in listed] == sorted(policy.key for policy in listed)
    assert {policy.document for policy in listed} == {""}
    assert {policy.path for policy in listed} >= {"/", "/service-role/", "/job-function/", "/aws-service-role/"}


def test_all_have_documents() -> None:
    for listed in aws_policies.list_all():
        policy = aws_policies.find(listed.arn)
        assert policy is not None
        assert json.loads(policy.document)["Statement"]


def test_clients_list_them_by_scope_and_path(iam: Any) -> None:
    iam.create_policy(PolicyName="Mine", PolicyDocument=policy(allow("s3:*")))
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PathPrefix="/job-function/")
    listed = [each for page in pages for each in page["Policies"]]
    assert "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess" in {each["Arn"] for each in listed}
    assert all(each["Path"] == "/job-function/" for each in listed)
    every = iam.get_paginator("list_policies").paginate().build_full_result()["Policies"]
    assert len(every) == len(aws_policies.list_all()) + 1


def test_each_account_counts_what_it_attaches(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.attach_user_policy(UserName="ann", PolicyArn=_READ_ONLY)
    got = iam.get_policy(PolicyArn=_READ_ONLY)["Policy"]
    assert got["AttachmentCount"] == 1
    version = iam.get_policy_version(PolicyArn=_READ_ONLY, VersionId=got["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Effect"] == "Allow"
    assert version["IsDefaultVersion"] is True
    (attached,) = (
        iam.get_paginator("list_policies").paginate(Scope="AWS", OnlyAttached=True).build_full_result()["Policies"]
    )
    assert attached["Arn"] == _READ_ONLY


def test_nobody_changes_them(iam: Any) -> None:
    document = policy(allow("s3:*"))
    assert code_of(iam.create_policy_version, PolicyArn=_READ_ONLY, PolicyDocument=document) == "AccessDenied"
    assert code_of(iam.delete_policy, PolicyArn=_READ_ONLY) == "AccessDenied"
    linked = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    iam.create_user(UserName="ann")
    assert code_of(iam.attach_user_policy, UserName="ann", PolicyArn=linked) == "PolicyNotAttachable"
