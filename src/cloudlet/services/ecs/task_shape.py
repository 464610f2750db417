"""Tasks as answers and events have them."""

from __future__ import annotations

import hashlib
from typing import Any

from cloudlet.services.ecs.arns import make_arn
from cloudlet.services.ecs.task_record import Task, TaskContainer


def describe(task: Task) -> dict[str, Any]:
    """Return a task as the model's Task has it, without its tags."""
    return {
        "attachments": _list_attachments(task),
        "attributes": [{"name": "ecs.cpu-architecture", "value": task.architecture.lower()}],
        "availabilityZone": task.availability_zone,
        "capacityProviderName": task.capacity_provider or None,
        "clusterArn": task.cluster_arn,
        "connectivity": "CONNECTED" if task.connected_at is not None else None,
        "connectivityAt": task.connected_at,
        "containerInstanceArn": task.container_instance or None,
        "containers": [describe_container(task, each) for each in task.containers],
        "cpu": str(task.reserved[0]),
        "createdAt": task.created_at,
        "desiredStatus": task.desired_status,
        "enableExecuteCommand": task.is_command_enabled,
        "ephemeralStorage": {"sizeInGiB": task.ephemeral_storage_gib} if task.ephemeral_storage_gib else None,
        "executionStoppedAt": task.execution_stopped_at,
        "fargateEphemeralStorage": _describe_storage(task),
        "group": task.group,
        "healthStatus": task.health_status,
        "lastStatus": task.last_status,
        "launchType": task.kind,
        "memory": task.memory or str(sum(int(each.memory or each.memory_reservation or 0) for each in task.containers)),
        "overrides": _describe_overrides(task),
        "platformFamily": "Linux" if task.is_on_fargate else None,
        "platformVersion": task.platform_version or None,
        "pullStartedAt": task.pull_started_at,
        "pullStoppedAt": task.pull_stopped_at,
        "startedAt": task.started_at,
        "startedBy": task.started_by or None,
        "stopCode": task.stop_code or None,
        "stoppedAt": task.stopped_at,
        "stoppedReason": task.stopped_reason or None,
        "stoppingAt": task.stopping_at,
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition_arn,
        "version": task.version,
    }


def describe_container(task: Task, container: TaskContainer) -> dict[str, Any]:
    """Return a container of a task as the model's Container has it."""
    interface = {"attachmentId": task.interface.get("attachment"), "privateIpv4Address": task.private_ip}
    return {
        "containerArn": make_container_arn(task, container),
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "imageDigest": container.image_digest or None,
        "runtimeId": make_runtime_id(task, container) if container.started_at is not None else None,
        "lastStatus": container.status,
        "exitCode": container.exit_code,
        "reason": container.reason or None,
        "networkBindings": container.bindings,
        "networkInterfaces": [interface] if task.private_ip else [],
        "healthStatus": container.health,
        "cpu": container.cpu,
        "memory": container.memory or None,
        "memoryReservation": container.memory_reservation or None,
    }


def make_container_arn(task: Task, container: TaskContainer) -> str:
    """Return the ARN of a container."""
    digits = _hash(task, container).hex()
    unique = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
    return make_arn(task.region, task.account, "container", task.cluster, task.id, unique)


def make_runtime_id(task: Task, container: TaskContainer) -> str:
    """Return how whatever runs a container calls it."""
    made = _hash(task, container)
    return f"{task.id}-{int.from_bytes(made[:4])}" if task.is_on_fargate else made.hex()


def _hash(task: Task, container: TaskContainer) -> bytes:
    return hashlib.sha256(f"{task.id}/{container.name}".encode()).digest()


def _list_attachments(task: Task) -> list[dict[str, Any]]:
    """Return the network interface of a task, which has none before it is made."""
    if task.network_mode != "awsvpc":
        return []
    found = task.interface
    names = {
        "subnetId": found.get("subnet") or (task.network.get("subnets") or [""])[0],
        "networkInterfaceId": found.get("id"),
        "macAddress": found.get("mac"),
        "privateDnsName": found.get("dns"),
        "privateIPv4Address": found.get("address"),
    }
    return [
        {
            "id": found.get("attachment"),
            "type": "ElasticNetworkInterface",
            "status": found.get("status", "PRECREATED"),
            "details": [{"name": name, "value": value} for name, value in names.items() if value],
        }
    ]


def _describe_storage(task: Task) -> dict[str, Any] | None:
    return {"sizeInGiB": task.ephemeral_storage_gib} if task.ephemeral_storage_gib else None


def _describe_overrides(task: Task) -> dict[str, Any]:
    """Return the overrides of a task, which name each container."""
    given = {each["name"]: each for each in task.overrides.get("containerOverrides") or () if each.get("name")}
    listed = [given.get(each.name, {"name": each.name}) for each in task.containers]
    return {"inferenceAcceleratorOverrides": [], **task.overrides, "containerOverrides": listed}
