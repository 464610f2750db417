"""STS beside IAM, within the test's own process, with a clock that the test moves; and over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Auth, Config
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.testing.server import Aws
from tests.in_process import InProcess

ACCOUNT = "111111111111"
OTHER = "222222222222"
REGION = "eu-west-1"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trust(principal: Any, *actions: str, **condition: Any) -> str:
    """Return a trust policy of one statement."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions) or "sts:AssumeRole"}
    return policy({**statement, **({"Condition": condition} if condition else {})})


class Sts(InProcess):
    """Calls STS and IAM, and moves the clock."""

    block = "sts"

    def __init__(self, folder: Path, auth: Auth) -> None:
        super().__init__(Config(data=folder, auth=auth, durable=False))
        self._ids: dict[str, str] = {}
        """The ids of users that IAM knows, by their ARNs."""

    def call(self, operation: str, *, by: Principal | None = None, **params: Any) -> Any:
        """Call an operation and return its result, as a user if nobody else is named. Raises AwsError."""
        return self._call("sts", operation, by or self.user(), params)

    def iam(self, operation: str, account: str = ACCOUNT, **params: Any) -> Any:
        return self._call("iam", operation, root(account), params)

    def _call(self, service: str, operation: str, by: Principal, params: dict[str, Any]) -> Any:
        call = self.cloud.call(service, operation, params, principal=by, account=by.account, region=REGION)
        return self.run(call) or {}

    def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        """Return the code and the message of the error of a call."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        return caught.value.code, caught.value.message

    def user(self, name: str = "alice", account: str = ACCOUNT) -> Principal:
        """Return a user with a long-term key."""
        arn = f"arn:aws:iam::{account}:user/{name}"
        return Principal("user", account, arn, self._ids.get(arn, "AIDAEXAMPLE"), "AKIAEXAMPLE")

    def permit(
        self, name: str = "alice", account: str = ACCOUNT, *, statement: dict[str, Any] | None = ALLOW_ALL
    ) -> Principal:
        """Create a user who may do what a statement says, if there is one: all unless another is given."""
        made = self.iam("CreateUser", account, UserName=name)["User"]
        self._ids[made["Arn"]] = made["UserId"]
        if statement is not None:
            document = policy(statement)
            self.iam("PutUserPolicy", account, UserName=name, PolicyName="own", PolicyDocument=document)
        return self.user(name, account)

    def role(self, trust_policy: str, name: str = "admin", account: str = ACCOUNT, **params: Any) -> str:
        """Create a role and return its ARN."""
        made = self.iam("CreateRole", account, RoleName=name, AssumeRolePolicyDocument=trust_policy, **params)
        return str(made["Role"]["Arn"])

    def assume(self, role: str, *, by: Principal | None = None, **params: Any) -> Principal:
        """Return the session that assuming a role makes."""
        return self.opened(self.call("AssumeRole", by=by, RoleArn=role, RoleSessionName="session", **params))

    def opened(self, answer: Any) -> Principal:
        """Return who acts with the credentials of an answer."""
        return self.cloud.tokens.open(answer["Credentials"]["SessionToken"]).principal


@pytest.fixture
def sts(tmp_path: Path) -> Iterator[Sts]:
    """STS in open mode."""
    server = Sts(tmp_path, "open")
    yield server
    server.close()


@pytest.fixture
def strict_sts(tmp_path: Path) -> Iterator[Sts]:
    """STS where permissions are enforced."""
    server = Sts(tmp_path, "strict")
    yield server
    server.close()


def make_role(aws: Aws, name: str = "demo", trust_policy: str | None = None, **params: Any) -> str:
    """Create a role that its account trusts, and return its ARN."""
    document = trust_policy or trust({"AWS": aws.account})
    made = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document, **params)
    return str(made["Role"]["Arn"])


def with_credentials(aws: Aws, service: str, answer: Any) -> Any:
    """Return a client that has the credentials of an answer."""
    made = answer["Credentials"]
    return aws.client(
        service,
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["SessionToken"],
    )
