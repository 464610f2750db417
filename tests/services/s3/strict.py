"""A Cloudlet that enforces permissions, with two accounts and nobody."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Server

SECRET = "a-secret-of-tests"
OWNER, OTHER = "111111111111", "222222222222"


def grant(actions: str | list[str], *resources: str, **more: Any) -> dict[str, Any]:
    """Return a statement of an identity-based policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources) or "*", **more}


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass(frozen=True)
class Account:
    """An account's number and a client of its root, or nobody's."""

    number: str
    s3: Any


@dataclass(frozen=True)
class User:
    """A user, or a session of a role: the name, the ARN, a client of S3, and the keys that it has."""

    name: str
    arn: str
    s3: Any
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Strict:
    """The running server and who may come."""

    endpoint: str
    owner: Account
    other: Account
    nobody: Account

    def root(self, account: str, service: str) -> Any:
        """Return a client of another service that an account's root has."""
        return self._client(service, f"AKIATEST{account}", SECRET)

    def user(self, *statements: dict[str, Any], account: str = OWNER, boundary: str = "") -> User:
        """Create a user with a policy of these statements, if any."""
        iam, name = self.root(account, "iam"), f"user-{secrets.token_hex(4)}"
        limit = {"PermissionsBoundary": boundary} if boundary else {}
        arn = iam.create_user(UserName=name, **limit)["User"]["Arn"]
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys = key["AccessKeyId"], key["SecretAccessKey"]
        return User(name, arn, self._client("s3", *keys), keys)

    def role(self, *statements: dict[str, Any], trusts: dict[str, Any], account: str = OWNER) -> str:
        """Create a role with a policy of these statements, if any; return its ARN."""
        iam, name = self.root(account, "iam"), f"role-{secrets.token_hex(4)}"
        trust = policy({"Effect": "Allow", "Principal": trusts, "Action": "sts:AssumeRole"})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return str(arn)

    def session(self, role: str, account: str = OWNER, **more: Any) -> User:
        """Assume a role as a user of the account who may do that."""
        caller = self.user(grant("sts:AssumeRole", role), account=account)
        given = self._client("sts", *caller.keys).assume_role(RoleArn=role, RoleSessionName="tester", **more)
        parts = given["Credentials"]
        keys = parts["AccessKeyId"], parts["SecretAccessKey"], parts["SessionToken"]
        return User("tester", given["AssumedRoleUser"]["Arn"], self._client("s3", *keys), keys)

    def _client(self, service: str, key: str, secret: str, token: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def bucket(self, **options: Any) -> str:
        """Create a bucket of the owner's, with the defaults of today."""
        name = f"strict-{secrets.token_hex(8)}"
        self.owner.s3.create_bucket(Bucket=name, **options)
        return name

    def open_bucket(self, ownership: str = "ObjectWriter") -> str:
        """Create a bucket with ACLs, in which nothing that is public is blocked."""
        name = self.bucket(ObjectOwnership=ownership)
        self.owner.s3.delete_public_access_block(Bucket=name)
        return name

    def allow(self, bucket: str, **statement: Any) -> None:
        """Give a bucket a policy of one statement."""
        written = {
            "Effect": "Allow",
            "Principal": "*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            **statement,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [written]})
        self.owner.s3.put_bucket_policy(Bucket=bucket, Policy=policy)


@contextmanager
def strict_server() -> Iterator[Strict]:
    """Run the server until the end of the `with` block."""
    keys = {account: f"AKIATEST{account}" for account in (OWNER, OTHER)}
    options = [part for account, key in keys.items() for part in ("--root-key", f"{account}:{key}:{SECRET}")]
    with Server.start("--ephemeral", "--auth", "strict", *options) as server:

        def client(**settings: Any) -> Any:
            return boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", **settings)

        owner, other = (
            Account(account, client(aws_access_key_id=key, aws_secret_access_key=SECRET))
            for account, key in keys.items()
        )
        yield Strict(
            server.endpoint, owner, other, Account("anonymous", client(config=Config(signature_version=UNSIGNED)))
        )


def refused(call: Any, /, **params: Any) -> tuple[str, int]:
    """Make a call that is refused; return the error's code and the status."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


DENIED = ("AccessDenied", 403)
