"""Services of tests: made, changed, and waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import Tasks
from tests.standing import eventually


class Services(Tasks):
    """ECS of an account, with a service that is called web."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.register({"stopTimeout": 1}, family="web")

    def create(self, **members: Any) -> dict[str, Any]:
        """Make the service; two tasks are to run, if nothing else is said."""
        given = {"serviceName": "web", "taskDefinition": "web", "desiredCount": 2, **members}
        made: dict[str, Any] = self.ecs.create_service(**{k: v for k, v in given.items() if v is not None})
        return dict(made["service"])

    def update(self, **members: Any) -> dict[str, Any]:
        return dict(self.ecs.update_service(service="web", **members)["service"])

    def look(self) -> dict[str, Any]:
        return dict(self.ecs.describe_services(services=["web"])["services"][0])

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the service is as a function wants it."""
        return eventually(self.look, wanted)

    def settle(self) -> dict[str, Any]:
        """Wait until the service has but one deployment, which is complete, and all of its tasks."""
        return self.until(is_settled)

    def list_tasks(self) -> list[str]:
        return sorted(self.ecs.list_tasks(serviceName="web")["taskArns"])

    def list_messages(self) -> list[str]:
        """Return what the scheduler has told, the oldest first."""
        return [event["message"] for event in reversed(self.look()["events"])]

    def list_operations(self) -> list[dict[str, Any]]:
        """Return the service deployments, the newest first."""
        listed = self.ecs.list_service_deployments(service="web")["serviceDeployments"]
        arns = [each["serviceDeploymentArn"] for each in listed]
        found = self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
        return [dict(each) for each in found]

    def until_operation(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the newest service deployment is as a function wants it."""
        return eventually(lambda: self.list_operations()[0], wanted)


def is_settled(service: dict[str, Any]) -> bool:
    deployments = service["deployments"]
    return (
        len(deployments) == 1
        and deployments[0]["rolloutState"] == "COMPLETED"
        and service["runningCount"] == service["desiredCount"]
        and not service["pendingCount"]
    )
