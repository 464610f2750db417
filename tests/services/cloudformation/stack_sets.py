"""Stack sets of tests: deployed to accounts and regions, and waited for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.testing import server
from cloudlet.testing.server import Aws
from tests.modes import MODE
from tests.standing import eventually

_SERVICE = {"Service": "cloudformation.amazonaws.com"}


@dataclass(frozen=True)
class StackSets:
    """The stack sets of an administrator's account."""

    aws: Aws

    @property
    def client(self) -> Any:
        return self.aws.client("cloudformation")

    def create(self, name: str, template: Mapping[str, Any], **options: Any) -> str:
        """Make a set; return its id."""
        answer = self.client.create_stack_set(StackSetName=name, TemplateBody=json.dumps(template), **options)
        set_id: str = answer["StackSetId"]
        return set_id

    def deploy(self, name: str, accounts: list[str], regions: list[str], **options: Any) -> dict[str, Any]:
        """Make instances; return the operation once it is over."""
        target = {"StackSetName": name, "Accounts": accounts, "Regions": regions}
        return self.wait(name, self.client.create_stack_instances(**target, **options)["OperationId"])

    def update(self, name: str, template: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        answer = self.client.update_stack_set(StackSetName=name, TemplateBody=json.dumps(template), **options)
        return self.wait(name, answer["OperationId"])

    def delete(self, name: str, accounts: list[str], regions: list[str], **options: Any) -> dict[str, Any]:
        """Delete instances; return the operation once it is over."""
        target = {"StackSetName": name, "Accounts": accounts, "Regions": regions, "RetainStacks": False}
        return self.wait(name, self.client.delete_stack_instances(**{**target, **options})["OperationId"])

    def wait(self, name: str, operation: str) -> dict[str, Any]:
        def describe() -> dict[str, Any]:
            found = self.client.describe_stack_set_operation(StackSetName=name, OperationId=operation)
            shown: dict[str, Any] = found["StackSetOperation"]
            return shown

        return eventually(describe, lambda one: one["Status"] not in ("RUNNING", "QUEUED", "STOPPING"))

    def results(self, name: str, operation: str) -> dict[tuple[str, str], tuple[str, str]]:
        """Return the states and reasons of an operation's results, by account and region."""
        target = {"StackSetName": name, "OperationId": operation}
        found = self.client.list_stack_set_operation_results(**target)["Summaries"]
        return {(one["Account"], one["Region"]): (one["Status"], one.get("StatusReason", "")) for one in found}

    def instances(self, name: str) -> dict[tuple[str, str], dict[str, Any]]:
        found = self.client.list_stack_instances(StackSetName=name)["Summaries"]
        return {(one["Account"], one["Region"]): one for one in found}

    def other(self, region: str = "us-east-1", account: str = "") -> Aws:
        """Return an account, a fresh one unless it is given, in a region."""
        if account:
            return Aws(self.aws.endpoint, account, region)
        made = Aws(self.aws.endpoint, server.fresh_account(), region)
        self.trust(made)
        return made

    def trust(self, aws: Aws) -> None:
        """Let stack sets work in an account, where permissions are enforced."""
        if MODE == "strict":
            make_role(self.aws, "AWSCloudFormationStackSetAdministrationRole", _SERVICE)
            make_role(aws, "AWSCloudFormationStackSetExecutionRole", {"AWS": self.aws.account})


def make_role(aws: Aws, name: str, principal: Mapping[str, str]) -> None:
    """Make a role that may do everything, unless there is one."""
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    if name not in {role["RoleName"] for role in iam.list_roles()["Roles"]}:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
