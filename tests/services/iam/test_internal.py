"""Internal operations between IAM and other blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError, Transaction
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.store.tuple_keys import unpack
from cloudlet.testing.server import Aws
from tests.in_process import InProcess
from tests.refused import code_of
from tests.services.iam.documents import LAMBDA, READ, allow, policy

ACCOUNT = "123456789012"
_STS = Principal("service", ACCOUNT, "sts.amazonaws.com", "sts")


class _Iam(InProcess):
    """IAM, called by an account's root and by another block."""

    block = "iam"

    def call(self, operation: str, **params: Any) -> Any:
        return self._call(root(ACCOUNT), operation, params)

    def ask(self, operation: str, **params: Any) -> Any:
        """Call as a block does."""
        return self._call(_STS, operation, params)

    def _call(self, principal: Principal, operation: str, params: dict[str, Any]) -> Any:
        return self.run(
            self.cloud.call("iam", operation, params, principal=principal, account=ACCOUNT, region="us-east-1")
        )

    def refused(self, operation: str, **params: Any) -> str:
        with pytest.raises(AwsError) as caught:
            self.ask(operation, **params)
        return caught.value.code


@pytest.fixture
def iam(tmp_path: Path) -> Iterator[_Iam]:
    """A Cloudlet in this process."""
    cloud = _Iam(Config(tmp_path, durable=False))
    yield cloud
    cloud.close()


def test_nobody_else_may_ask(aws: Aws) -> None:
    """Clients cannot even name such an operation: the request is made by hand."""
    iam = aws.client("iam")
    for body in (
        {"Action": "ResolveAccessKey", "AccessKeyId": "x"},
        {"Action": "ResolvePrincipal", "Arn": "x"},
        {"Action": "ResolvePolicies", "Arns.member.1": "x"},
        {"Action": "RecordUse", "Uses.member.1.Arn": "x"},
    ):

        def replace(params: Any, body: dict[str, str] = body, **_: Any) -> None:
            params["body"].update(body)

        iam.meta.events.register_last("before-call.iam.GetAccountSummary", replace)
        assert code_of(iam.get_account_summary) == "AccessDeniedException"


def test_access_keys_lead_to_their_owners(iam: _Iam) -> None:
    user = iam.call("CreateUser", UserName="Ann", Path="/x/")["User"]
    key = iam.call("CreateAccessKey", UserName="Ann")["AccessKey"]["AccessKeyId"]
    found = {"Arn": user["Arn"], "UserId": user["UserId"], "IsActive": True}
    assert iam.ask("ResolveAccessKey", AccessKeyId=key) == found
    iam.call("UpdateAccessKey", UserName="Ann", AccessKeyId=key, Status="Inactive")
    assert iam.ask("ResolveAccessKey", AccessKeyId=key) == {**found, "IsActive": False}
    of_root = iam.call("CreateAccessKey")["AccessKey"]["AccessKeyId"]
    assert iam.ask("ResolveAccessKey", AccessKeyId=of_root) == {
        "Arn": f"arn:aws:iam::{ACCOUNT}:root",
        "UserId": ACCOUNT,
        "IsActive": True,
    }
    assert iam.refused("ResolveAccessKey", AccessKeyId="AKIA" + "A" * 16) == "NoSuchEntity"


def test_a_user_has_its_own_policies_and_those_of_its_groups(iam: _Iam) -> None:
    user = iam.call("CreateUser", UserName="Ann", Tags=[{"Key": "k", "Value": "v"}])["User"]
    iam.call("CreateGroup", GroupName="G")
    iam.call("AddUserToGroup", GroupName="G", UserName="Ann")
    other = policy(allow("sqs:*"))
    arn = iam.call("CreatePolicy", PolicyName="p", PolicyDocument=other)["Policy"]["Arn"]
    iam.call("AttachGroupPolicy", GroupName="G", PolicyArn=arn)
    iam.call("PutUserPolicy", UserName="Ann", PolicyName="in", PolicyDocument=READ)
    iam.call("PutGroupPolicy", GroupName="G", PolicyName="in", PolicyDocument=other)
    iam.call("PutUserPermissionsBoundary", UserName="Ann", PermissionsBoundary=arn)
    found = iam.ask("ResolvePrincipal", Arn=user["Arn"])
    assert found["Id"] == user["UserId"]
    assert found["Policies"] == {"in": READ, "G/in": other, arn: other}
    assert (found["BoundaryArn"], found["Boundary"]) == (arn, other)
    assert found["Tags"] == {"k": "v"}
    # The version in force counts.
    iam.call("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=READ, SetAsDefault=True)
    assert iam.ask("ResolvePrincipal", Arn=user["Arn"])["Policies"][arn] == READ
    unknown = f"arn:aws:iam::{ACCOUNT}:policy/unknown"
    assert iam.ask("ResolvePolicies", Arns=[arn, unknown]) == {"Policies": {arn: READ}}
    assert iam.refused("ResolvePolicies", Arns=["nonsense"]) == "InvalidInput"


@pytest.mark.parametrize(
    "arn",
    ["iam::{}:role/x/Worker", "iam::{}:role/Worker", "sts::{}:assumed-role/Worker/session"],
)
def test_a_role_is_found_by_each_of_its_arns(iam: _Iam, arn: str) -> None:
    role = iam.call(
        "CreateRole", RoleName="Worker", Path="/x/", AssumeRolePolicyDocument=LAMBDA, MaxSessionDuration=7200
    )["Role"]
    iam.call("PutRolePolicy", RoleName="Worker", PolicyName="in", PolicyDocument=READ)
    found = iam.ask("ResolvePrincipal", Arn=f"arn:aws:{arn.format(ACCOUNT)}")
    assert (found["Arn"], found["Id"]) == (role["Arn"], role["RoleId"])
    assert (found["TrustPolicy"], found["MaxSessionDuration"]) == (LAMBDA, 7200)
    assert found["Policies"] == {"in": READ}


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::{}:role/y/Worker",
        "arn:aws:iam::{}:role/worker",
        "arn:aws:iam::{}:user/Worker",
        "arn:aws:iam::{}:group/G",
        "arn:aws:iam::999999999999:role/Worker",
        "arn:aws:sts::{}:federated-user/Worker",
        "nonsense",
    ],
)
def test_others_are_not_found(iam: _Iam, arn: str) -> None:
    iam.call("CreateRole", RoleName="Worker", Path="/x/", AssumeRolePolicyDocument=LAMBDA)
    iam.call("CreateGroup", GroupName="G")
    assert iam.refused("ResolvePrincipal", Arn=arn.format(ACCOUNT)) == "NoSuchEntity"


def test_uses_are_noted_the_last_of_them(iam: _Iam) -> None:
    user = iam.call("CreateUser", UserName="Ann")["User"]["Arn"]
    key = iam.call("CreateAccessKey", UserName="Ann")["AccessKey"]["AccessKeyId"]
    role = iam.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=LAMBDA)["Role"]["Arn"]
    arn = iam.call("CreatePolicy", PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    iam.call("AttachUserPolicy", UserName="Ann", PolicyArn=arn)
    iam.call("AttachRolePolicy", RoleName="r", PolicyArn=arn)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"
    now = iam.now
    iam.ask(
        "RecordUse",
        Uses=[
            {"Arn": user, "AccessKeyId": key, "Service": "s3", "Region": "eu-west-1", "At": now},
            {"Arn": user, "AccessKeyId": key, "Service": "sqs", "Region": "us-east-1", "At": now - 1},
            {"Arn": session, "Service": "s3", "Region": "us-east-2", "At": now + 5},
            {"Arn": "arn:aws:iam::1:root", "AccessKeyId": "AKIA", "Service": "s3", "Region": "x", "At": now},
        ],
    )
    shown = iam.call("GetAccessKeyLastUsed", AccessKeyId=key)
    assert shown["AccessKeyLastUsed"] == {"LastUsedDate": now, "ServiceName": "s3", "Region": "eu-west-1"}
    used = iam.call("GetRole", RoleName="r")["Role"]["RoleLastUsed"]
    assert used == {"LastUsedDate": now + 5, "Region": "us-east-2"}
    job = iam.call("GenerateServiceLastAccessedDetails", Arn=arn)["JobId"]
    (service,) = iam.call("GetServiceLastAccessedDetails", JobId=job)["ServicesLastAccessed"]
    assert service == {
        "ServiceName": "S3",
        "ServiceNamespace": "s3",
        "TotalAuthenticatedEntities": 2,
        "LastAuthenticated": now + 5,
        "LastAuthenticatedEntity": role,
        "LastAuthenticatedRegion": "us-east-2",
    }
    entities = iam.call("GetServiceLastAccessedDetailsWithEntities", JobId=job, ServiceNamespace="s3")
    told = [(each["EntityInfo"]["Arn"], each["LastAuthenticated"]) for each in entities["EntityDetailsList"]]
    assert told == [(role, now + 5), (user, now)]


def test_nothing_is_left_of_what_is_deleted(iam: _Iam) -> None:
    user = iam.call("CreateUser", UserName="Ann")["User"]["Arn"]
    key = iam.call("CreateAccessKey", UserName="Ann")["AccessKey"]["AccessKeyId"]
    iam.call("CreateGroup", GroupName="G")
    iam.call("AddUserToGroup", GroupName="G", UserName="Ann")
    iam.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    iam.call("CreateInstanceProfile", InstanceProfileName="i")
    iam.call("AddRoleToInstanceProfile", InstanceProfileName="i", RoleName="r")
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.call("AttachUserPolicy", UserName="Ann", PolicyArn=arn)
    iam.call("PutRolePermissionsBoundary", RoleName="r", PermissionsBoundary=arn)
    uses = [{"Arn": user, "AccessKeyId": key, "Service": "s3", "Region": "x", "At": iam.now}]
    iam.ask("RecordUse", Uses=uses)
    iam.call("UpdateUser", UserName="Ann", NewUserName="Bea")
    iam.call("UpdateGroup", GroupName="G", NewGroupName="H")
    iam.call("DetachUserPolicy", UserName="Bea", PolicyArn=arn)
    iam.call("DeleteAccessKey", UserName="Bea", AccessKeyId=key)
    iam.call("RemoveUserFromGroup", GroupName="H", UserName="Bea")
    iam.call("DeleteUser", UserName="Bea")
    iam.call("DeleteGroup", GroupName="H")
    iam.call("RemoveRoleFromInstanceProfile", InstanceProfileName="i", RoleName="r")
    iam.call("DeleteInstanceProfile", InstanceProfileName="i")
    iam.call("DeleteRole", RoleName="r")

    async def list_spaces(tx: Transaction) -> set[Any]:
        return {unpack(key)[0] for key, _ in await tx.range(b"\x00", b"\xff", limit=1000)}

    # Counters stay, at zero; the calls of the account are to be told to CloudTrail.
    assert iam.transact(list_spaces) == {"audit", "count", "policy-use-count"}


def test_what_blocks_ask_is_not_recorded(iam: _Iam) -> None:
    """CloudTrail is told of the account's calls alone, and a question costs no write."""
    iam.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    rows = iam.rows()
    iam.ask("ResolvePrincipal", Arn=f"arn:aws:iam::{ACCOUNT}:role/r")
    iam.refused("ResolveAccessKey", AccessKeyId="AKIA" + "A" * 16)
    iam.run(iam.settle())
    assert iam.rows() == rows


def test_reports_are_kept_for_a_week(iam: _Iam) -> None:
    user = iam.call("CreateUser", UserName="Ann")["User"]["Arn"]
    first = iam.call("GenerateServiceLastAccessedDetails", Arn=user)["JobId"]
    iam.advance(8 * 86400)
    second = iam.call("GenerateServiceLastAccessedDetails", Arn=user)["JobId"]
    assert iam.refused("GetServiceLastAccessedDetails", JobId=first) == "NoSuchEntity"
    assert iam.call("GetServiceLastAccessedDetails", JobId=second)["JobStatus"] == "COMPLETED"
