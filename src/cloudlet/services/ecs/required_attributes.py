"""The attributes that a container instance needs for a task definition.

Developer guide, "Amazon ECS task definition parameters", "requiresAttributes": AWS works them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_REMOTE_API: Final = "com.amazonaws.ecs.capability.docker-remote-api."


def list_attributes(shape: Mapping[str, Any], mode: str) -> list[str]:
    """Return the names of the attributes, each once."""
    return [*dict.fromkeys(_find(shape, mode))]


def _find(shape: Mapping[str, Any], mode: str) -> Iterator[str]:
    has_execution_role = bool(shape.get("executionRoleArn"))
    for container in shape["containerDefinitions"]:
        yield from _find_by_container(container, has_execution_role)
    yield _REMOTE_API + "1.18"
    if shape.get("taskRoleArn"):
        yield "com.amazonaws.ecs.capability.task-iam-role"
    if shape.get("proxyConfiguration"):
        yield "ecs.capability.aws-appmesh"
    if mode == "awsvpc":
        yield "ecs.capability.task-eni"


def _find_by_container(container: Mapping[str, Any], has_execution_role: bool) -> Iterator[str]:
    driver = (container.get("logConfiguration") or {}).get("logDriver")
    if driver:
        yield f"com.amazonaws.ecs.capability.logging-driver.{driver}"
        if driver == "awslogs" and has_execution_role:
            yield "ecs.capability.execution-role-awslogs"
    if ".dkr.ecr." in container["image"]:
        yield "com.amazonaws.ecs.capability.ecr-auth"
        if has_execution_role:
            yield "ecs.capability.execution-role-ecr-pull"
    if container.get("healthCheck"):
        yield "ecs.capability.container-health-check"
    if container.get("dependsOn"):
        yield "ecs.capability.container-ordering"
    if container.get("environmentFiles"):
        yield "ecs.capability.env-files.s3"
    for secret in container.get("secrets") or ():
        source = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        yield f"ecs.capability.secrets.{source}.environment-variables"
