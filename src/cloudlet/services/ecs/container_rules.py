"""The rules for the containers of a task definition.

Errors are in AWS's words where they are known.

API reference, ContainerDefinition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from cloudlet.services.ecs import errors

_Container = Mapping[str, Any]
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_PORT_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}", re.ASCII)
_RANGE: Final = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_PORTS: Final = range(1, 65_536)
_MIN_MEMORY_MIB: Final = 6
_MAX_ENVIRONMENT_FILES: Final = 10
_MAX_IGNORED_CODES: Final = 50
_MAX_FARGATE_STOP_SECONDS: Final = 120
_HEALTH_LIMITS: Final = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}


def check(containers: list[dict[str, Any]], volumes: list[dict[str, Any]], network_mode: str, has_memory: bool) -> None:
    """Raise ClientException unless containers can make a task together."""
    if not containers:
        raise errors.ClientError("Container list cannot be empty.")
    names = [container.get("name") or "" for container in containers]
    for container in containers:
        _check_container(container, network_mode, has_memory)
    if len({*names}) < len(names):
        raise errors.ClientError("Container name must be unique within a task definition.")
    if not any(container.get("essential", True) for container in containers):
        raise errors.ClientError("At least one container in a task definition must be essential.")
    _check_volumes(containers, volumes, names)
    _check_dependencies({container["name"]: container for container in containers})
    _check_ports_together(containers)


def _check_container(container: _Container, network_mode: str, has_memory: bool) -> None:
    name = container.get("name")
    if not name:
        raise errors.ClientError("Container.name should not be null or empty.")
    if not _NAME.fullmatch(name):
        raise errors.ClientError("Container.name contains invalid characters.")
    if not container.get("image"):
        raise errors.ClientError("Container.image should not be null or empty.")
    _check_memory(container, has_memory)
    for mapping in container.get("portMappings") or ():
        _check_port(name, mapping, network_mode)
    _check_health(name, container.get("healthCheck"))
    _check_restart(name, container.get("restartPolicy"))
    files = container.get("environmentFiles") or ()
    if len(files) > _MAX_ENVIRONMENT_FILES:
        raise _InvalidSetting(name, f"At most {_MAX_ENVIRONMENT_FILES} environment files can be specified.")
    for file in files:
        if not file["value"].startswith("arn:") or not file["value"].endswith(".env"):
            raise _InvalidSetting(name, f"Invalid environment file: {file['value']}.")
    if container.get("systemControls") and network_mode in ("host", "none"):
        raise errors.ClientError(f"systemControls of networks are not supported when networkMode={network_mode}.")
    if network_mode == "awsvpc":
        for member in ("hostname", "dnsServers", "dnsSearchDomains", "extraHosts"):
            if container.get(member):
                raise errors.ClientError(f"{member} is not supported on container when networkMode=awsvpc.")
    given = [each["name"] for each in container.get("secrets") or ()]
    if len({*given}) < len(given):
        raise errors.ClientError("The secrets' names must be unique within a container.")
    if {*given} & {pair.get("name") for pair in container.get("environment") or ()}:
        raise errors.ClientError("The secret name must be unique and not shared with any new or existing environment "
                                 "variables set on the container.")  # fmt: skip


def _check_memory(container: _Container, has_memory: bool) -> None:
    name, limit, reservation = container["name"], container.get("memory"), container.get("memoryReservation")
    if not limit and not reservation and not has_memory:
        text = "At least one of 'memory' or 'memoryReservation' must be specified."
        raise _InvalidSetting(name, text)
    if any(size is not None and size < _MIN_MEMORY_MIB for size in (limit, reservation)):
        raise _InvalidSetting(name, f"'memory' must be at least {_MIN_MEMORY_MIB} MiB.")
    if limit and reservation and reservation > limit:
        raise _InvalidSetting(name, "'memory' must be greater than 'memoryReservation'.")


def _check_port(name: str, mapping: Mapping[str, Any], network_mode: str) -> None:
    if network_mode == "none":
        raise errors.ClientError("Port mappings are not supported when networkMode=none.")
    port, host, ports = mapping.get("containerPort"), mapping.get("hostPort"), mapping.get("containerPortRange")
    if (port is None) == (ports is None):
        raise _InvalidSetting(name, "A port mapping has either a containerPort or a containerPortRange.")
    if ports is not None:
        match = _RANGE.fullmatch(ports)
        if network_mode == "host" or match is None or not 0 < int(match[1]) < int(match[2]) < _PORTS.stop:
            raise _InvalidSetting(name, f"Invalid containerPortRange {ports}.")
    elif (port or 0) not in _PORTS or (host or 1) not in _PORTS:
        raise _InvalidSetting(name, "Ports must be between 1 and 65535.")
    if network_mode in ("awsvpc", "host") and host and host != port:
        raise errors.ClientError(
            f"When networkMode={network_mode}, the host ports and container ports in port mappings must match."
        )
    if (given := mapping.get("name")) and not _PORT_NAME.fullmatch(given):
        raise _InvalidSetting(name, f"Invalid name of a port mapping: {given}.")


def _check_ports_together(containers: list[dict[str, Any]]) -> None:
    names = [m["name"] for c in containers for m in c.get("portMappings") or () if m.get("name")]
    if len({*names}) < len(names):
        raise errors.ClientError("The names of port mappings must be unique within a task definition.")
    for key, text in (("containerPort", "container"), ("hostPort", "host")):
        used = [
            (c["name"] if key == "containerPort" else "", m[key], m.get("protocol") or "tcp")
            for c in containers
            for m in c.get("portMappings") or ()
            if m.get(key)
        ]
        if len({*used}) < len(used):
            raise errors.ClientError(f"Duplicate {text} ports in port mappings.")


def _check_health(name: str, health: Mapping[str, Any] | None) -> None:
    if health is None:
        return
    command = health["command"]
    if not command or command[0] not in ("CMD", "CMD-SHELL", "NONE") or (command[0] != "NONE" and len(command) < 2):
        raise _InvalidSetting(name, "The health check command must begin with CMD, CMD-SHELL or NONE.")
    for member, (least, most) in _HEALTH_LIMITS.items():
        value = health.get(member)
        if value is not None and not least <= value <= most:
            raise _InvalidSetting(name, f"The health check's {member} must be between {least} and {most}.")


def _check_restart(name: str, policy: Mapping[str, Any] | None) -> None:
    if policy is None:
        return
    period = policy.get("restartAttemptPeriod")
    if period is not None and not 60 <= period <= 1800:
        raise _InvalidSetting(name, "restartAttemptPeriod must be between 60 and 1800 seconds.")
    if len(policy.get("ignoredExitCodes") or ()) > _MAX_IGNORED_CODES:
        raise _InvalidSetting(name, f"At most {_MAX_IGNORED_CODES} exit codes can be ignored.")


def _check_volumes(containers: list[dict[str, Any]], volumes: list[dict[str, Any]], names: list[str]) -> None:
    known = [volume.get("name") or "" for volume in volumes]
    for name in known:
        if not _NAME.fullmatch(name):
            raise errors.ClientError("Volume.name contains invalid characters.")
    if len({*known}) < len(known):
        raise errors.ClientError("Volume names must be unique within a task definition.")
    for container in containers:
        for mount in container.get("mountPoints") or ():
            if mount.get("sourceVolume") not in known:
                raise errors.ClientError(f"Unknown volume '{mount.get('sourceVolume')}'.")
            if not (mount.get("containerPath") or "").startswith("/"):
                raise _InvalidSetting(container["name"], "A mount point's containerPath must be an absolute path.")
        for source in container.get("volumesFrom") or ():
            other = source.get("sourceContainer")
            if other not in names or other == container["name"]:
                raise _InvalidSetting(container["name"], f"Unknown source container '{other}' in volumesFrom.")


def _check_dependencies(containers: Mapping[str, _Container]) -> None:
    for name, container in containers.items():
        for other, condition in _list_dependencies(container):
            if other not in containers or other == name:
                raise _InvalidSetting(name, f"It depends on '{other}', which is no other container.")
            needed = containers[other]
            if condition in ("COMPLETE", "SUCCESS") and needed.get("essential", True):
                raise errors.ClientError(
                    f"A container that others depend on with condition {condition} must not be essential: {other}."
                )
            if condition == "HEALTHY" and not needed.get("healthCheck"):
                raise errors.ClientError(
                    f"A container that others depend on with condition HEALTHY must have a health check: {other}."
                )
    graph = {name: [other for other, _ in _list_dependencies(each)] for name, each in containers.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        raise errors.ClientError("The container dependencies must not have a cycle.") from None


def _list_dependencies(container: _Container) -> Iterator[tuple[str, str]]:
    for each in container.get("dependsOn") or ():
        yield each["containerName"], each["condition"]
    for source in container.get("volumesFrom") or ():
        yield source["sourceContainer"], "START"


def check_on_fargate(container: _Container, execution_role: str) -> None:
    """Raise ClientException for what Fargate does not admit of a container."""
    if not execution_role:
        if ".dkr.ecr." in container["image"]:
            raise errors.ClientError(
                "Fargate requires task definition to have execution role ARN to support ECR images."
            )
        if (container.get("logConfiguration") or {}).get("logDriver") == "awslogs":
            raise errors.ClientError(
                "Fargate requires task definition to have execution role ARN to support log driver awslogs."
            )
    linux = container.get("linuxParameters") or {}
    if linux.get("sharedMemorySize") is not None:
        raise errors.ClientError("Fargate does not support sharedMemorySize.")
    if (container.get("stopTimeout") or 0) > _MAX_FARGATE_STOP_SECONDS:
        raise errors.ClientError(f"stopTimeout must be {_MAX_FARGATE_STOP_SECONDS} seconds or less on Fargate.")


class _InvalidSetting(errors.ClientError):
    def __init__(self, container: str, text: str) -> None:
        super().__init__(f"Invalid setting for container '{container}'. {text}")
