"""The news that the scheduler tells of a service: in its events, and to EventBridge.

Developer guide, "Amazon ECS service event messages", "Amazon ECS service action events" and "Amazon ECS service
deployment state change events".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.aws import iso8601, service_events
from cloudlet.services.ecs import service_history
from cloudlet.services.ecs.service_record import Deployment, Service


class News:
    """The news of one step."""

    def __init__(self, service: Service, now: float) -> None:
        self._name = f"(service {service.name})"
        self._service = service
        self._now = now
        self._messages: list[str] = []
        self._entries: list[dict[str, Any]] = []

    async def save(self, tx: Transaction) -> None:
        """Write all of it."""
        await service_history.add_events(tx, self._service.key, self._messages, self._now)
        for entry in self._entries:
            service_events.add(tx, self._service.account, self._service.region, entry)

    def tell(self, text: str) -> None:
        """Tell something in AWS's words, which begin with the service."""
        self._messages.append(f"{self._name} {text}")

    def tell_started(self, ids: Sequence[str]) -> None:
        """Tell which tasks were started."""
        self.tell(f"has started {len(ids)} tasks: {_list_tasks(ids)}.")

    def tell_stopped(self, ids: Sequence[str]) -> None:
        """Tell which tasks are stopped."""
        self.tell(f"has stopped {len(ids)} running tasks: {_list_tasks(ids)}.")

    def tell_steady(self) -> None:
        """Tell that there is nothing to do."""
        self.tell("has reached a steady state.")
        self.note_action("SERVICE_STEADY_STATE")

    def tell_deployed(self, deployment: Deployment) -> None:
        """Tell that a deployment is complete."""
        self.tell(f"(deployment {deployment.id}) deployment completed.")
        self.note_deployment("SERVICE_DEPLOYMENT_COMPLETED", deployment, f"ECS deployment {deployment.id} completed.")

    def tell_failed(self, deployment: Deployment, why: str, reason: str) -> None:
        """Tell that a deployment has failed."""
        self.tell(f"(deployment {deployment.id}) deployment failed: {why}.")
        self.note_deployment("SERVICE_DEPLOYMENT_FAILED", deployment, reason, "ERROR")

    def note_action(self, name: str, kind: str = "INFO", **more: Any) -> None:
        """Have EventBridge told of an action of the scheduler."""
        detail = {
            "eventType": kind,
            "eventName": name,
            "clusterArn": self._service.cluster_arn,
            "createdAt": iso8601.millisecond(int(self._now * 1000)),
            **more,
        }
        self._add("ECS Service Action", detail)

    def note_deployment(self, name: str, deployment: Deployment, reason: str, kind: str = "INFO") -> None:
        """Have EventBridge told of a deployment."""
        detail = {
            "eventType": kind,
            "eventName": name,
            "deploymentId": deployment.id,
            "updatedAt": iso8601.millisecond(int(self._now * 1000)),
            "reason": reason,
        }
        self._add("ECS Deployment State Change", detail)

    def _add(self, kind: str, detail: dict[str, Any]) -> None:
        entry = {
            "Source": "aws.ecs",
            "DetailType": kind,
            "Detail": json.dumps(detail),
            "Resources": [self._service.arn],
            "Time": self._now,
        }
        self._entries.append(entry)


def _list_tasks(ids: Sequence[str]) -> str:
    return " ".join(f"(task {each})" for each in ids)
