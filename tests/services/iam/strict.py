"""IAM where permissions are enforced, within the test's own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal
from tests.in_process import InProcess
from tests.services.iam.documents import policy
from tests.services.iam.local import ACCOUNT, LocalIam

ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class StrictIam(LocalIam):
    """IAM that looks at policies."""

    def __init__(self, folder: Path) -> None:
        InProcess.__init__(self, Config(data=folder, auth="strict", durable=False))

    def user(self, name: str, *statements: dict[str, Any], path: str = "/") -> Principal:
        """Create a user with an inline policy of these statements; return who it is in calls."""
        user = self.call("CreateUser", UserName=name, Path=path)["User"]
        self.allow(name, *statements)
        return Principal("user", ACCOUNT, user["Arn"], user["UserId"], "AKIAEXAMPLE")

    def allow(self, user: str, *statements: dict[str, Any]) -> None:
        """Give a user the policy of these statements in place of the one that it has."""
        if statements:
            self.call("PutUserPolicy", UserName=user, PolicyName="own", PolicyDocument=policy(*statements))

    def denied(self, operation: str, principal: Principal, **params: Any) -> tuple[str, str]:
        """Make a call that policies do not allow; return the action and the resource that the error names."""
        code, message = self.refused(operation, principal, **params)
        assert code == "AccessDenied", (code, message)
        _, _, rest = message.partition("not authorized to perform: ")
        action, _, resource = rest.partition(" on resource: ")
        return action, resource.partition(" ")[0]


@pytest.fixture
def strict_iam(tmp_path: Path) -> Iterator[StrictIam]:
    made = StrictIam(tmp_path)
    yield made
    made.close()
