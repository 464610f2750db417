"""The shop's services on Amazon ECS, as the demo sees them."""

from __future__ import annotations

from typing import Any

import boto3
from shop import names
from voices import PREFIX
from waiting import wait


class Fleet:
    def __init__(self) -> None:
        self._ecs = boto3.client("ecs")
        self._logs = boto3.client("logs")

    def running(self) -> dict[str, int]:
        """Return how many tasks each service has."""
        services = self._ecs.list_services(cluster=names.CLUSTER)["serviceArns"]
        described = self._ecs.describe_services(cluster=names.CLUSTER, services=services)["services"]
        return {each["serviceName"]: each["runningCount"] for each in described}

    def run_instead(self, service: str, *command: str) -> str:
        """Run a task of a service, with its role, but with another program; return what that prints."""
        [like] = self._ecs.describe_services(cluster=names.CLUSTER, services=[service])["services"]
        started = self._ecs.run_task(
            cluster=names.CLUSTER,
            taskDefinition=like["taskDefinition"],
            launchType=like["launchType"],
            networkConfiguration=like["networkConfiguration"],
            overrides={"containerOverrides": [{"name": service, "command": list(command)}]},
        )
        [arn] = [task["taskArn"] for task in started["tasks"]]

        def ended() -> bool:
            [task] = self._ecs.describe_tasks(cluster=names.CLUSTER, tasks=[arn])["tasks"]
            return bool(task["lastStatus"] == "STOPPED")

        wait(f"a task of {service}", ended)
        stream = f"{PREFIX}{service}/{arn.rpartition('/')[2]}"
        events: list[Any] = self._logs.get_log_events(logGroupName=names.LOG, logStreamName=stream, startFromHead=True)[
            "events"
        ]
        return "\n".join(event["message"] for event in events)
