"""Definitions of the containers of a task, and what the task overrides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudlet.services.ecs import definitions
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.running.failures import TaskFailure
from cloudlet.services.ecs.running.runner import Runner
from cloudlet.services.ecs.task_record import Task


async def load_definition(runner: Runner, task: Task) -> Definition:
    """Return the definition of a task. Raises TaskFailure where it was deleted."""
    found = await runner.block.store.transact(
        lambda tx: definitions.get_revision(
            tx, task.account, task.region, task.family, task.revision, kind=task.definition_kind
        )
    )
    if found is None:
        raise TaskFailure("The task definition of the task was deleted.")
    return found


def list_dependencies(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the containers that one depends on, and their conditions."""
    for each in described.get("dependsOn") or ():
        yield each["containerName"], each["condition"]
    for each in described.get("volumesFrom") or ():
        yield each["sourceContainer"], "START"


def find_override(task: Task, name: str) -> dict[str, Any]:
    """Return what a task overrides of a container."""
    listed = task.overrides.get("containerOverrides") or ()
    return next((dict(each) for each in listed if each.get("name") == name), {})
