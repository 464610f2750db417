"""Roles that services act by: the very role, by its whole ARN, which trusts the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.authorization.permissions import NOTHING
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from tests.in_process import InProcess, make_policy

_ACCOUNT = "111122223333"
_LAMBDA = "lambda.amazonaws.com"


class _Cloud(InProcess):
    block = "iam"

    def iam(self, operation: str, **params: Any) -> Any:
        caller = root(_ACCOUNT)
        call = self.cloud.call("iam", operation, params, principal=caller, account=_ACCOUNT, region="us-east-1")
        return self.run(call)

    def is_nobody(self, role: str, by: str = _LAMBDA) -> bool:
        """Whether a service that takes a role may do nothing."""
        return self.run(self.cloud.permissions.load(make_session(role, "session", by))) is NOTHING


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[_Cloud]:
    made = _Cloud(Config(data=tmp_path, auth="strict", durable=False))
    yield made
    made.close()


def _make_role(cloud: _Cloud, name: str = "worker", path: str = "/") -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": _LAMBDA}, "Action": "sts:AssumeRole"}
    made = cloud.iam("CreateRole", RoleName=name, Path=path, AssumeRolePolicyDocument=make_policy(trust))
    return str(made["Role"]["Arn"])


def test_a_service_acts_by_a_role_that_trusts_it(cloud: _Cloud) -> None:
    role = _make_role(cloud)
    assert not cloud.is_nobody(role)
    assert cloud.is_nobody(role, "ec2.amazonaws.com")
    assert cloud.is_nobody(role, "")
    assert cloud.is_nobody(f"{role}2")


def test_a_role_is_not_taken_by_an_arn_without_its_path(cloud: _Cloud) -> None:
    """Else one could pass a role whose path no policy lets one pass."""
    role = _make_role(cloud, path="/admins/")
    assert not cloud.is_nobody(role)
    assert cloud.is_nobody(role.replace("/admins/", "/"))
    assert cloud.is_nobody(role.replace("/admins/", "/others/"))


def test_a_trust_policy_that_changes_holds_at_once(cloud: _Cloud) -> None:
    role = _make_role(cloud)
    assert not cloud.is_nobody(role)
    nobody = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    cloud.iam("UpdateAssumeRolePolicy", RoleName="worker", PolicyDocument=make_policy(nobody))
    assert cloud.is_nobody(role)


def test_a_session_has_the_id_of_its_role(cloud: _Cloud) -> None:
    session = make_session(_make_role(cloud), "session", _LAMBDA)
    id = cloud.iam("GetRole", RoleName="worker")["Role"]["RoleId"]
    assert cloud.run(cloud.cloud.permissions.load(session)).identify(session) == f"{id}:session"
    condition = {"StringEquals": {"aws:userid": f"{id}:session"}}
    policy = make_policy({"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": condition})
    cloud.iam("PutRolePolicy", RoleName="worker", PolicyName="p", PolicyDocument=policy)
    call = cloud.cloud.call("sqs", "ListQueues", {}, principal=session, account=_ACCOUNT, region="us-east-1")
    cloud.run(call)
