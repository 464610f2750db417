"""SNS within the test's own process: strict where wanted, with a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Auth, Config
from cloudlet.core.kernel.identity import Principal, root
from tests.in_process import InProcess

ACCOUNT = "111111111111"
OTHER = "222222222222"
REGION = "eu-west-1"
OWNER = root(ACCOUNT, ACCOUNT)
STRANGER = root(OTHER, OTHER)


class LocalSns(InProcess):
    """Calls operations of SNS as the root of an account, and moves the clock."""

    block = "sns"

    def __init__(self, folder: Path, auth: Auth) -> None:
        super().__init__(Config(data=folder, auth=auth, durable=False))
        self.folder = folder

    def call(
        self, operation: str, *, by: Principal = OWNER, service: str = "sns", source_arn: str = "", **params: Any
    ) -> dict[str, Any]:
        """Call an operation and return its result. Raises AwsError."""
        account = by.account if by.kind != "anonymous" else ACCOUNT
        called = self.cloud.call(
            service, operation, params, principal=by, account=account, region=REGION, source_arn=source_arn
        )
        return dict(self.run(called) or {})

    def role(self, service: str, *actions: str, by: Principal = OWNER) -> str:
        """Create a role `r` that a service may assume, and that may take actions; return its ARN."""
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        self.call("CreateRole", by=by, service="iam", RoleName="r", AssumeRolePolicyDocument=_document(trust))
        policy = {"RoleName": "r", "PolicyName": "p", "PolicyDocument": _document(allowed)}
        self.call("PutRolePolicy", by=by, service="iam", **policy)
        return f"arn:aws:iam::{by.account}:role/r"

    def refused(self, operation: str, *, by: Principal = OWNER, source_arn: str = "", **params: Any) -> AwsError:
        """Call an operation that is refused; return the error."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, by=by, source_arn=source_arn, **params)
        return caught.value

    def page(self, name: str) -> tuple[str, bytes]:
        """Return the type and the content of a page."""
        block = self.cloud.block("sns")
        return self.run(_shown(block, name))


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


async def _shown(block: Block, name: str) -> tuple[str, bytes]:
    return await block.service.pages[name](block)


@contextmanager
def local_sns(folder: Path, auth: Auth = "open") -> Iterator[LocalSns]:
    """Run a Cloudlet until the end of the `with` block."""
    sns = LocalSns(folder, auth)
    try:
        yield sns
    finally:
        sns.close()
