"""Capacity providers of Managed Instances in tests, and daemons on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudlet.testing.server import Aws
from tests.services.ecs.serving import Services
from tests.standing import eventually


class Managed(Services):
    """ECS of an account, with a capacity provider that is called machine."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.provider = self.create_provider("machine")

    def configure(self, **template: Any) -> dict[str, Any]:
        """Return a `managedInstancesProvider`, with other members of its launch template."""
        subnets = self.aws.client("ec2").describe_subnets()["Subnets"]
        return {
            "infrastructureRoleArn": f"arn:aws:iam::{self.aws.account}:role/ecsInfrastructureRole",
            "instanceLaunchTemplate": {
                "ec2InstanceProfileArn": f"arn:aws:iam::{self.aws.account}:instance-profile/ecsInstanceRole",
                "networkConfiguration": {"subnets": [subnets[0]["SubnetId"]]},
                **template,
            },
        }

    def create_provider(self, name: str, **members: Any) -> str:
        """Make a capacity provider; return its ARN."""
        given = {"cluster": "default", "managedInstancesProvider": self.configure(), **members}
        made = self.ecs.create_capacity_provider(name=name, **given)["capacityProvider"]
        return str(made["capacityProviderArn"])

    def list_instances(self, provider: str = "machine") -> list[dict[str, Any]]:
        """Return the container instances of a capacity provider."""
        arns = self.ecs.list_container_instances()["containerInstanceArns"]
        found = self.ecs.describe_container_instances(containerInstances=arns)["containerInstances"]
        return [dict(each) for each in found if each.get("capacityProviderName") == provider]

    def until_instances(self, wanted: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Wait until the instances of the capacity provider are as a function wants them."""
        return eventually(self.list_instances, wanted)

    def define(self, *command: str, is_checked: bool = True, **members: Any) -> str:
        """Register a daemon task definition; return its ARN. With a health check it need not run for a while first."""
        container = {"name": "agent", "image": self.image, "memory": 32, "command": command or ("sleep", "1000")}
        check = {"healthCheck": {"command": ["CMD", "true"]}} if is_checked else {}
        given = {"family": "agent", "containerDefinitions": [{**container, **check, "stopTimeout": 1}], **members}
        return str(self.ecs.register_daemon_task_definition(**given)["daemonTaskDefinitionArn"])

    def create_daemon(self, definition: str, **members: Any) -> dict[str, Any]:
        given = {"daemonName": "agent", "capacityProviderArns": [self.provider], **members}
        return dict(self.ecs.create_daemon(daemonTaskDefinitionArn=definition, **given))

    def update_daemon(self, arn: str, definition: str, **members: Any) -> dict[str, Any]:
        given = {"capacityProviderArns": [self.provider], **members}
        return dict(self.ecs.update_daemon(daemonArn=arn, daemonTaskDefinitionArn=definition, **given))

    def look_at(self, deployment: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_daemon_deployments(daemonDeploymentArns=[deployment])["daemonDeployments"]
        return dict(found)

    def until_status(self, deployment: str, status: str) -> dict[str, Any]:
        """Wait until a deployment of a daemon is in a state."""
        return eventually(lambda: self.look_at(deployment), lambda each: each["status"] == status)

    def list_daemon_tasks(self) -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(daemonName="agent")["taskArns"]
        return [self.describe(arn) for arn in arns]
