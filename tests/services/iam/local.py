"""IAM within the test's own process, called as whomever the test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal, root
from tests.in_process import InProcess

ACCOUNT, REGION = "111111111111", "eu-west-1"
SERVICE = Principal("service", ACCOUNT, "sts.amazonaws.com", "sts")


class LocalIam(InProcess):
    """IAM within the test."""

    block = "iam"

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder, durable=False))

    def user(self, name: str) -> Principal:
        """Create a user; return who it is in calls."""
        user = self.call("CreateUser", UserName=name)["User"]
        return Principal("user", ACCOUNT, user["Arn"], user["UserId"])

    def call(self, operation: str, principal: Principal | None = None, **params: Any) -> Any:
        """Call an operation, as the root of the account unless it says otherwise."""
        principal = principal or root(ACCOUNT)
        call = self.cloud.call("iam", operation, params, principal=principal, account=ACCOUNT, region=REGION)
        return self.run(call)

    def refused(self, operation: str, principal: Principal | None = None, **params: Any) -> tuple[str, str]:
        """Make a call that is refused; return the error's code and message."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, principal, **params)
        return caught.value.code, caught.value.message
