"""Container instances as answers show them."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Transaction
from cloudlet.services.ecs import instance_events, instances, tasks
from cloudlet.services.ecs.instances import Instance
from cloudlet.services.ecs.task_record import Task


async def describe(tx: Transaction, instance: Instance) -> dict[str, Any]:
    """Return a container instance without its tags."""
    live = [
        task for task in await tasks.list_tasks(tx, *instance.cluster.key) if task.container_instance == instance.arn
    ]
    cpu, memory = (sum(amounts) for amounts in zip((0, 0), *(task.reserved for task in live), strict=True))
    return {
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_id,
        "capacityProviderName": instance.provider or None,
        "version": await instance_events.load_version(tx, *instance.cluster.key, instance.id),
        "status": instance.status,
        "statusReason": instance.managed.reason or None if instance.managed else None,
        "agentConnected": True,
        "registeredAt": instance.registered,
        "registeredResources": instances.make_resources(instance.cpu, instance.memory),
        "remainingResources": instances.make_resources(instance.cpu - cpu, instance.memory - memory),
        "runningTasksCount": sum(task.last_status == "RUNNING" for task in live),
        "pendingTasksCount": sum(task.last_status == "PENDING" for task in live),
        "attributes": await list_attributes(tx, instance),
    }


async def list_attributes(tx: Transaction, instance: Instance) -> list[dict[str, Any]]:
    """Return the attributes of an instance: its own, and those of users."""
    known = {**instances.list_own_attributes(instance.cluster), **await instances.load_attributes(tx, instance)}
    return [{"name": name, "value": value} if value else {"name": name} for name, value in known.items()]


def note_change(tx: Transaction, task: Task) -> None:
    """Have an event told of an instance that has another task, or one less."""
    if task.container_instance and (task.version == 1 or task.has_stopped):
        instance_events.request(tx, *task.key[:3])


tasks.LISTENERS.append(note_change)
