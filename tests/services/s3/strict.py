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


@dataclass(frozen=True)
class Account:
    """An account's number and a client of its root, or nobody's."""

    number: str
    s3: Any


@dataclass(frozen=True)
class Strict:
    """The running server and who may come."""

    endpoint: str
    owner: Account
    other: Account
    nobody: Account

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
    keys = {account: f"AKIATEST{account}" for account in ("111111111111", "222222222222")}
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
