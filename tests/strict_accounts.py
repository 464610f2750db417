"""Accounts of a server that enforces permissions, with users and roles that are really in IAM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.modes import POLICY_ADDED, STRICT_ACCOUNTS, shared_by_tests

_DENIALS: Final = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
REGION: Final = "us-east-1"
Statement = dict[str, Any]


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def is_denied(call: Callable[..., Any], /, **params: Any) -> bool:
    """Make a call; return whether policies do not allow it. Fails where anything else is wrong."""
    try:
        call(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _DENIALS:
            raise
        return True
    return False


class Caller:
    """A principal with credentials."""

    def __init__(self, endpoint: str, arn: str, **credentials: str) -> None:
        self.arn = arn
        self._endpoint = endpoint
        self._credentials = credentials

    def client(self, service: str, **options: Any) -> Any:
        made = Aws(self._endpoint, "").client(service, region_name=REGION, **self._credentials, **options)
        if service == "sqs":
            # Where all tests are run in strict mode, those that are not about permissions get a policy.
            made.meta.events.unregister("before-parameter-build.sqs.CreateQueue", unique_id=POLICY_ADDED)
        return made


class Account(Caller):
    """An account, and its root user."""

    def __init__(self, endpoint: str, number: str) -> None:
        keys = {"aws_access_key_id": number, "aws_secret_access_key": "test"}
        super().__init__(endpoint, f"arn:aws:iam::{number}:root", **keys)
        self.number = number
        self.endpoint = endpoint
        self.iam = self.client("iam")

    def arn_of(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{self.number}:{resource}"

    def user(self, *statements: Statement, name: str = "alice", boundary: Statement | None = None) -> Caller:
        """Create a user with an inline policy, and perhaps a boundary."""
        limits = {} if boundary is None else {"PermissionsBoundary": self.policy(f"{name}-boundary", boundary)}
        arn = self.iam.create_user(UserName=name, **limits)["User"]["Arn"]
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return Caller(self.endpoint, arn, **keys)

    def policy(self, name: str, *statements: Statement) -> str:
        arn = self.iam.create_policy(PolicyName=name, PolicyDocument=document(*statements))["Policy"]["Arn"]
        return str(arn)

    def role(
        self, trusts: Any, *statements: Statement, name: str = "r", condition: Mapping[str, Any] | None = None
    ) -> str:
        """Create a role that somebody may assume, with an inline policy; return its ARN."""
        trust = {"Effect": "Allow", "Principal": trusts, "Action": "sts:AssumeRole"}
        if condition is not None:
            trust["Condition"] = condition
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        if statements:
            self.let_role(*statements, name=name)
        return str(arn)

    def service_role(self, service: str, *statements: Statement, name: str = "r") -> str:
        """Create a role for a service; return its ARN."""
        return self.role({"Service": f"{service}.amazonaws.com"}, *statements, name=name)

    def let_role(self, *statements: Statement, name: str = "r") -> None:
        """Give a role another policy."""
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))

    def assume(self, role: str, by: Caller, *limits: Statement) -> Caller:
        """Assume a role; `limits` are the session policy."""
        policy = {"Policy": document(*limits)} if limits else {}
        made = by.client("sts").assume_role(RoleArn=role, RoleSessionName="session", **policy)
        given = made["Credentials"]
        return Caller(
            self.endpoint,
            made["AssumedRoleUser"]["Arn"],
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def anonymous(self, service: str) -> Any:
        return self.client(service, config=Config(signature_version=UNSIGNED))


class Accounts:
    """The accounts of a server, each given out once."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        # From the end: the others are for tests that are not about permissions.
        self._numbers = map(str, reversed(STRICT_ACCOUNTS))

    def make(self) -> Account:
        return Account(self._endpoint, next(self._numbers))


@contextmanager
def strict_accounts(env: Mapping[str, str]) -> Iterator[Accounts]:
    """Run a server that enforces permissions until the end of the `with` block."""
    with shared_by_tests(env, "strict") as server:
        yield Accounts(server.endpoint)
