"""Events of tasks for EventBridge. Developer guide, "Amazon ECS task state change events"."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.aws import iso8601, service_events
from cloudlet.services.ecs import task_shape
from cloudlet.services.ecs.task_record import Task

_TIMES = (
    "connectivityAt",
    "createdAt",
    "executionStoppedAt",
    "pullStartedAt",
    "pullStoppedAt",
    "startedAt",
    "stoppedAt",
    "stoppingAt",
)


def note(tx: Transaction, before: Task | None, task: Task, now: float) -> None:
    """Have EventBridge told of a task whose state, or a container's, has changed."""
    if before is None or _list_states(before) != _list_states(task):
        entry = {
            "Time": now,
            "Source": "aws.ecs",
            "DetailType": "ECS Task State Change",
            "Resources": [task.arn],
            "Detail": json.dumps(_describe(task, now)),
        }
        service_events.add(tx, task.account, task.region, entry)


def _list_states(task: Task) -> list[Any]:
    containers = [(each.status, each.health) for each in task.containers]
    return [task.last_status, task.desired_status, task.protected_until, *containers]


def _describe(task: Task, now: float) -> dict[str, Any]:
    detail = {name: value for name, value in task_shape.describe(task).items() if value is not None}
    for name in _TIMES:
        if name in detail:
            detail[name] = _format(detail[name])
    detail["updatedAt"] = _format(now)
    return detail


def _format(seconds: float) -> str:
    return iso8601.millisecond(int(seconds * 1000))
