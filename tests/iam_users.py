"""A Cloudlet that enforces permissions, and the users and roles that tests make in accounts of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from botocore.exceptions import ClientError

from cloudlet.cli.serving import ROOT_KEYS
from cloudlet.testing.server import Aws, Server

REGION: Final = "us-east-1"
_ACCOUNTS: Final = range(200_000_000_000, 200_000_000_400)
_SERIAL: Final = count()


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """Return a statement that allows actions."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """Return a statement that denies actions."""
    return {**allow(actions, resources, **more), "Effect": "Deny"}


def make_policy(*statements: dict[str, Any]) -> str:
    """Return a policy as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def is_denied(call: Callable[..., Any], /, **params: Any) -> bool:
    """Make a call; return whether policies have refused it. Other errors are as good as an answer."""
    try:
        call(**params)
    except ClientError as error:
        answer = error.response["Error"]
        return "is not authorized to perform" in answer.get("Message", "")
    return False


@dataclass(frozen=True)
class Caller(Aws):
    """A user or a session that signs with keys of its own."""

    arn: str = ""
    access_key: str = ""
    secret_key: str = ""
    token: str | None = None

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client that signs with these keys."""
        own = {
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.token,
        }
        return super().client(service, **{**own, **options})


@dataclass(frozen=True)
class StrictAccount(Aws):
    """An account where permissions are enforced; its own clients are those of its root user."""

    def add_user(self, *statements: dict[str, Any], name: str = "", boundary: str = "", **more: Any) -> Caller:
        """Make a user whose policy has these statements; return him with an access key."""
        iam, name = self.client("iam"), name or f"user{next(_SERIAL)}"
        limits = {"PermissionsBoundary": self.add_managed(boundary)} if boundary else {}
        arn = iam.create_user(UserName=name, **limits, **more)["User"]["Arn"]
        if statements:
            self.allow(name, *statements)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Caller(self.endpoint, self.account, self.region, arn, key["AccessKeyId"], key["SecretAccessKey"])

    def allow(self, user: str, *statements: dict[str, Any]) -> None:
        """Have the policy of a user be these statements from now on."""
        self.client("iam").put_user_policy(UserName=user, PolicyName="own", PolicyDocument=make_policy(*statements))

    def add_managed(self, document: str) -> str:
        """Make a managed policy and return its ARN."""
        made = self.client("iam").create_policy(PolicyName=f"managed{next(_SERIAL)}", PolicyDocument=document)
        return str(made["Policy"]["Arn"])

    def add_role(self, trusted: dict[str, Any], *statements: dict[str, Any], name: str = "") -> str:
        """Make a role that a principal may assume; return its ARN."""
        iam, name = self.client("iam"), name or f"role{next(_SERIAL)}"
        trust = make_policy({"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=make_policy(*statements))
        return str(arn)

    def assume(self, role: str, by: Aws, *session: dict[str, Any]) -> Caller:
        """Return a session of a role, limited by the statements of a session policy, if any are given."""
        limits = {"Policy": make_policy(*session)} if session else {}
        answer = by.client("sts").assume_role(RoleArn=role, RoleSessionName="session", **limits)
        keys = answer["Credentials"]
        return Caller(
            self.endpoint,
            self.account,
            self.region,
            answer["AssumedRoleUser"]["Arn"],
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["SessionToken"],
        )


@dataclass(frozen=True)
class StrictServer:
    """A running Cloudlet that enforces permissions."""

    server: Server

    def add_account(self) -> StrictAccount:
        """Return an account that nobody else has."""
        return StrictAccount(self.server.endpoint, str(_ACCOUNTS[next(_SERIAL)]))


@contextmanager
def running_strictly(*options: str) -> Iterator[StrictServer]:
    """Run a Cloudlet that enforces permissions until the end of the `with` block."""
    keys = " ".join(f"{account}:{account}:test" for account in _ACCOUNTS)
    with Server.start("--ephemeral", "--auth", "strict", *options, env={ROOT_KEYS: keys}) as server:
        yield StrictServer(server)
