"""Registering task definitions: the rules for whole tasks, and AWS's defaults.

API reference, RegisterTaskDefinition; developer guide, "Task definition parameters".
"""

from __future__ import annotations

import re
from typing import Any, Final

from cloudlet.core import Params
from cloudlet.services.ecs import container_rules, errors, proxy_rules, query_language, task_sizes, unsupported
from cloudlet.services.ecs.capacity import MANAGED
from cloudlet.services.ecs.required_attributes import list_attributes

_FAMILY: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_MAX_CONSTRAINTS: Final = 10
_MODES_OF_MANAGED: Final = ("awsvpc", "host", "none")
_MEMBERS: Final = (
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "requiresCompatibilities",
    "ipcMode",
    "ephemeralStorage",
    "runtimePlatform",
    "proxyConfiguration",
)


def check_and_complete(params: Params) -> dict[str, Any]:
    """Return the shape of the task definition that a request registers. Raises ClientException."""
    _check_names(params)
    mode = params.get("networkMode") or ("awsvpc" if _is_for_fargate(params) or _is_managed(params) else "bridge")
    cpu = task_sizes.parse_cpu(params["cpu"]) if params.get("cpu") else None
    memory = task_sizes.parse_memory(params["memory"]) if params.get("memory") else None
    containers = [_complete(container, mode) for container in params["containerDefinitions"]]
    volumes = [dict(volume) for volume in params.get("volumes") or ()]
    container_rules.check(containers, volumes, mode, memory is not None)
    unsupported.check(params)
    proxy_rules.check(params.get("proxyConfiguration"), containers, mode)
    _check_sums(containers, cpu, memory)
    if _is_managed(params) and mode not in _MODES_OF_MANAGED:
        raise errors.ClientError("Managed Instances only support the network modes awsvpc, host and none.")
    if _is_for_fargate(params):
        _check_on_fargate(params, containers, volumes, cpu, memory, mode)
    storage = (params.get("ephemeralStorage") or {}).get("sizeInGiB")
    if storage is not None and not 21 <= storage <= 200:
        raise errors.ClientError("The ephemeral storage size must be between 21 and 200 GiB.")
    shape = {
        **{member: params[member] for member in _MEMBERS if params.get(member)},
        "family": params["family"],
        "containerDefinitions": containers,
        "volumes": volumes,
        "placementConstraints": _list_constraints(params),
        "cpu": None if cpu is None else str(cpu),
        "memory": None if memory is None else str(memory),
    }
    if params.get("requiresCompatibilities") and "networkMode" not in shape and mode == "awsvpc":
        shape["networkMode"] = mode
    shape["compatibilities"] = _list_compatibilities(shape, cpu, memory, mode)
    shape["requiresAttributes"] = [{"name": name} for name in list_attributes(shape, mode)]
    return {name: value for name, value in shape.items() if value is not None}


def _is_for_fargate(params: Params) -> bool:
    return "FARGATE" in (params.get("requiresCompatibilities") or ())


def _is_managed(params: Params) -> bool:
    """Whether tasks are to run on Amazon ECS Managed Instances."""
    return MANAGED in (params.get("requiresCompatibilities") or ())


def _check_names(params: Params) -> None:
    family = params["family"]
    if not family:
        raise errors.ClientError("Family should not be null or empty.")
    if not _FAMILY.fullmatch(family):
        raise errors.ClientError(
            "Family contains invalid characters when it should only contain letters, numbers, hyphens, and underscores."
        )


def _list_constraints(params: Params) -> list[dict[str, Any]]:
    constraints: list[dict[str, Any]] = params.get("placementConstraints") or []
    if len(constraints) > _MAX_CONSTRAINTS:
        raise errors.ClientError(f"A task definition has at most {_MAX_CONSTRAINTS} placement constraints.")
    if constraints and _is_for_fargate(params):
        raise errors.ClientError("Placement constraints are not supported with Fargate.")
    for each in constraints:
        query_language.parse(each.get("expression") or "")
    return constraints


def _complete(container: dict[str, Any], mode: str) -> dict[str, Any]:
    """Return a container with the members that answers always have."""
    mappings = [_complete_port(mapping, mode) for mapping in container.get("portMappings") or ()]
    full = {
        "cpu": 0,
        "essential": True,
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        **container,
        "portMappings": mappings,
    }
    if health := container.get("healthCheck"):
        full["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, **health}
    if (policy := container.get("restartPolicy")) is not None:
        full["restartPolicy"] = {"restartAttemptPeriod": 300, **policy}
    return full


def _complete_port(mapping: dict[str, Any], mode: str) -> dict[str, Any]:
    """Return a port mapping with its protocol, and the host's port where it is known."""
    full = {"protocol": "tcp", **mapping}
    if mapping.get("containerPort") is not None and not mapping.get("hostPort"):
        full["hostPort"] = mapping["containerPort"] if mode in ("awsvpc", "host") else 0
    return full


def _check_sums(containers: list[dict[str, Any]], cpu: int | None, memory: int | None) -> None:
    """Raise ClientException where containers reserve more than their task has."""
    if cpu is not None and sum(container["cpu"] for container in containers) > cpu:
        raise errors.ClientError("The 'cpu' of the containers is more than the 'cpu' of the task.")
    reserved = sum(each.get("memoryReservation") or each.get("memory") or 0 for each in containers)
    largest = max(each.get("memory") or 0 for each in containers)
    if memory is not None and (reserved > memory or largest > memory):
        raise errors.ClientError("Invalid setting for container. The 'memory' of the containers is more than the "
                                 "'memory' of the task.")  # fmt: skip


def _check_on_fargate(
    params: Params,
    containers: list[dict[str, Any]],
    volumes: list[dict[str, Any]],
    cpu: int | None,
    memory: int | None,
    mode: str,
) -> None:
    if mode != "awsvpc":
        raise errors.ClientError("Fargate only supports network mode ‘awsvpc’.")
    if cpu is None:
        raise errors.ClientError("Fargate requires that 'cpu' be defined at the task level.")
    if memory is None:
        raise errors.ClientError("Fargate requires that 'memory' be defined at the task level.")
    if not task_sizes.is_of_fargate(cpu, memory):
        raise errors.ClientError(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS "
            "documentation for the valid values."
        )
    for container in containers:
        container_rules.check_on_fargate(container, params.get("executionRoleArn") or "")
    for volume in volumes:
        if _needs_host(volume):
            raise errors.ClientError(f"Fargate does not support this type of volume: {volume['name']}.")


def _list_compatibilities(shape: dict[str, Any], cpu: int | None, memory: int | None, mode: str) -> list[str]:
    """Return the launch types that a task can be run by."""
    is_for_fargate = (
        mode == "awsvpc"
        and cpu is not None
        and memory is not None
        and task_sizes.is_of_fargate(cpu, memory)
        and not any(
            (v.get("host") or {}).get("sourcePath") or v.get("dockerVolumeConfiguration") for v in shape["volumes"]
        )
    )
    # The network mode that is not said is none of Managed Instances.
    is_for_managed = shape.get("networkMode") in _MODES_OF_MANAGED
    return [
        "EC2",
        *(["FARGATE"] if is_for_fargate else []),
        *(["EXTERNAL"] if mode != "awsvpc" else []),
        *([MANAGED] if is_for_managed else []),
    ]


def _needs_host(volume: dict[str, Any]) -> bool:
    """Whether a volume is one of the container instance, which Fargate does not have."""
    return bool(volume.get("dockerVolumeConfiguration") or (volume.get("host") or {}).get("sourcePath"))
