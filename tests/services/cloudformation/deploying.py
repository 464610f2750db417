"""Stacks of tests: made, changed and deleted, and waited for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.testing.server import Aws
from tests.standing import eventually

Template = Mapping[str, Any]


@dataclass(frozen=True)
class Stacks:
    """The stacks of an account."""

    aws: Aws

    @property
    def client(self) -> Any:
        return self.aws.client("cloudformation")

    def create(self, name: str, template: Template | str, **options: Any) -> dict[str, Any]:
        """Make a stack; return it once nothing is in progress any more."""
        self.client.create_stack(StackName=name, TemplateBody=as_text(template), **options)
        return self.wait(name)

    def update(self, name: str, template: Template | str, **options: Any) -> dict[str, Any]:
        self.client.update_stack(StackName=name, TemplateBody=as_text(template), **options)
        return self.wait(name)

    def delete(self, name: str, **options: Any) -> dict[str, Any]:
        stack_id = self.describe(name)["StackId"]
        self.client.delete_stack(StackName=name, **options)
        return self.wait(stack_id)

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def wait(self, name: str) -> dict[str, Any]:
        return eventually(lambda: self.describe(name), lambda stack: not stack["StackStatus"].endswith("_IN_PROGRESS"))

    def outputs(self, name: str) -> dict[str, str]:
        return {one["OutputKey"]: one["OutputValue"] for one in self.describe(name)["Outputs"]}

    def physical_id(self, name: str, resource: str) -> str:
        detail = self.client.describe_stack_resource(StackName=name, LogicalResourceId=resource)
        physical_id: str = detail["StackResourceDetail"]["PhysicalResourceId"]
        return physical_id

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Return logical ids, states and reasons, the oldest first."""
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=name)
        found = [event for page in pages for event in page["StackEvents"]]
        return [
            (one["LogicalResourceId"], one["ResourceStatus"], one.get("ResourceStatusReason", ""))
            for one in reversed(found)
        ]

    def queues(self) -> list[str]:
        """Return the names of the account's queues."""
        urls = self.aws.client("sqs").list_queues().get("QueueUrls", [])
        return [url.rpartition("/")[2] for url in urls]


def as_text(template: Template | str) -> str:
    return template if isinstance(template, str) else json.dumps(template)


def put_template(stacks: Stacks, template: Template | str, name: str = "inner") -> str:
    """Put a template into a bucket; return its URL."""
    s3, bucket = stacks.aws.client("s3"), f"nested-{stacks.aws.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=f"{name}.json", Body=as_text(template))
    return f"https://{bucket}.s3.amazonaws.com/{name}.json"


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def parameter(value: Any, **others: Any) -> dict[str, Any]:
    """Return a parameter of Parameter Store with a value."""
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}, **others}


BROKEN = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v", "AllowedPattern": "[0-9]"}}
"""A resource that cannot be made, which no schema tells."""
