"""Lambda's functions of an account, over a real socket."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.modes import ALLOW_ALL, FOR_LAMBDA, document

RUNTIME = "python{}.{}".format(*sys.version_info)
"""That of the interpreter which is certainly there."""


def package(files: Mapping[str, str] | None = None) -> bytes:
    """Return a ZIP file of files, by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in (files or {"index.py": "def handler(event, context):\n    return event\n"}).items():
            file.writestr(name, text)
    return packed.getvalue()


def role_of(account: str) -> str:
    """Return the role of an account that functions have."""
    return f"arn:aws:iam::{account}:role/shop"


def make_role(iam: Any, *statements: dict[str, Any], trust: dict[str, Any] = FOR_LAMBDA, name: str = "shop") -> str:
    """Make a role that functions may have, with a policy, or one that may do everything; return its ARN."""
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*(statements or (ALLOW_ALL,))))
    return str(role["Arn"])


class FunctionCloud:
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.account = aws.account
        self.role = role_of(aws.account)
        self.client: Any = aws.client("lambda")
        self.prefix = f"arn:aws:lambda:{aws.region}:{aws.account}"

    def function(self, name: str = "f", *, wait: bool = True, **more: Any) -> Any:
        """Create a function; return the answer, once the function is active."""
        given = {
            "FunctionName": name,
            "Runtime": RUNTIME,
            "Role": self.role,
            "Handler": "index.handler",
            "Code": {"ZipFile": package()},
            **more,
        }
        created = self.client.create_function(**{key: value for key, value in given.items() if value is not None})
        if wait:
            self.wait(name)
        return created

    def logged(self, **filters: Any) -> list[dict[str, Any]]:
        """Return the events in the log of `f`; none while there is no log."""
        logs = self.aws.client("logs")
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/f", **filters)
            return [event for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def answers(self) -> int:
        """Return how many invocations of `f` have ended, as its log says."""
        return sum(event["message"].startswith("REPORT ") for event in self.logged())

    def wait(self, name: str = "f") -> None:
        """Wait until a function is active, and not being changed any more."""
        for waiter in ("function_active_v2", "function_updated_v2"):
            self.client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})

    def arn(self, name: str = "f") -> str:
        return f"{self.prefix}:function:{name}"

    def refused(self, operation: str, **params: Any) -> tuple[str, str, int]:
        """Call an operation that fails; return the error's code, its message and the HTTP status."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**params)
        answer = caught.value.response
        return (
            answer["Error"]["Code"],
            answer["Error"]["Message"],
            answer["ResponseMetadata"]["HTTPStatusCode"],
        )
