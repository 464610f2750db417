"""The rules for Express services: what requests may ask for, and the defaults.

API reference, CreateExpressGatewayService; developer guide, "Resources created by Amazon ECS Express Mode services".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import Params
from cloudlet.services.ecs import errors
from cloudlet.services.ecs.definition_record import Definition

MAIN: Final = "Main"
"""The name of the container that gets the traffic."""
CHECK_PATH: Final = "/ping"
_PORT: Final = 80
_CPU: Final = "256"
_MEMORY: Final = "512"
_ARCHITECTURE: Final = "X86_64"
_STREAM_PREFIX: Final = "ecs"
_SCALING: Final = {
    "minTaskCount": 1,
    "maxTaskCount": 20,
    "autoScalingMetric": "AVERAGE_CPU",
    "autoScalingTargetValue": 60,
}
_MAX_TASKS: Final = 5000
_MAX_FAMILY_CHARACTERS: Final = 255
OF_DEFINITIONS: Final = ("primaryContainer", "executionRoleArn", "taskRoleArn", "cpu", "memory", "cpuArchitecture")
"""Members that a task definition of the caller's has itself."""
DEPLOYMENT: Final[dict[str, Any]] = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 3},
    "bakeTimeInMinutes": 3,
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
}
"""The deployment configuration (developer guide, "Updating an Amazon ECS Express Mode service")."""


def check_definition_choice(params: Params) -> None:
    """Raise InvalidParameterException for a task definition beside members that it has itself."""
    if params.get("taskDefinitionArn"):
        for member in OF_DEFINITIONS:
            if params.get(member):
                raise errors.InvalidParameter(f"You cannot specify both taskDefinitionArn and {member}.")


def check_new(params: Params) -> None:
    """Raise InvalidParameterException where a new service has no container."""
    check_definition_choice(params)
    if not params.get("taskDefinitionArn"):
        for member in ("executionRoleArn", "primaryContainer"):
            if not params.get(member):
                raise errors.InvalidParameter(f"{member} must be specified when taskDefinitionArn is not.")


def read_check_path(params: Params, known: str) -> str:
    """Return the path of health checks. Raises InvalidParameterException."""
    path = params.get("healthCheckPath") or known
    if not path.startswith("/"):
        raise errors.InvalidParameter("The healthCheckPath must start with a forward slash.")
    return str(path)


def read_scaling(params: Params, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return how a service is scaled. Raises InvalidParameterException."""
    scaling = {**(known or _SCALING), **(params.get("scalingTarget") or {})}
    if known is None and scaling["maxTaskCount"] < scaling["minTaskCount"] and not _has_maximum(params):
        scaling["maxTaskCount"] = scaling["minTaskCount"]
    if not 0 <= scaling["minTaskCount"] <= scaling["maxTaskCount"] <= _MAX_TASKS:
        raise errors.InvalidParameter(
            f"minTaskCount and maxTaskCount must be between 0 and {_MAX_TASKS}, and minTaskCount not be the greater."
        )
    if scaling["autoScalingTargetValue"] <= 0:
        raise errors.InvalidParameter("autoScalingTargetValue must be greater than 0.")
    return scaling


def _has_maximum(params: Params) -> bool:
    return (params.get("scalingTarget") or {}).get("maxTaskCount") is not None


def make_family(cluster: str, service: str) -> str:
    """Return the family of the task definitions of a service."""
    return f"{cluster}-{service}"[-_MAX_FAMILY_CHARACTERS:]


def make_definition(
    params: Params, family: str, region: str, log_group: str, known: Definition | None = None
) -> dict[str, Any]:
    """Return a request of RegisterTaskDefinition for an Express service.

    What it does not ask for is as it was. Raises InvalidParameterException.
    """
    before = known.shape if known else {}
    main = find_main(known) if known else {}
    given = dict(params.get("primaryContainer") or {})
    container = {**_read_container(main), **given}
    port = container.get("containerPort") or _PORT
    if not 1 <= port <= 65535:
        raise errors.InvalidParameter("containerPort must be between 1 and 65535.")
    logs = container.get("awsLogsConfiguration") or {"logGroup": log_group, "logStreamPrefix": _STREAM_PREFIX}
    options = {
        "awslogs-group": logs["logGroup"],
        "awslogs-region": region,
        "awslogs-stream-prefix": logs["logStreamPrefix"],
    }
    made = {
        "name": MAIN,
        "essential": True,
        "image": container["image"],
        "portMappings": [{"containerPort": port, "protocol": "tcp", "name": f"main-{port}-tcp"}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        **{
            name: container[name]
            for name in ("command", "environment", "secrets", "repositoryCredentials")
            if container.get(name)
        },
    }
    architecture = (before.get("runtimePlatform") or {}).get("cpuArchitecture") or _ARCHITECTURE
    full = {
        "family": family,
        "containerDefinitions": [made],
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": params.get("cpu") or before.get("cpu") or _CPU,
        "memory": params.get("memory") or before.get("memory") or _MEMORY,
        "executionRoleArn": params.get("executionRoleArn") or before.get("executionRoleArn"),
        "taskRoleArn": params.get("taskRoleArn") or before.get("taskRoleArn"),
        "runtimePlatform": {
            "operatingSystemFamily": "LINUX",
            "cpuArchitecture": params.get("cpuArchitecture") or architecture,
        },
    }
    return {name: value for name, value in full.items() if value is not None}


def find_main(definition: Definition) -> dict[str, Any]:
    """Return the container that gets the traffic. Raises InvalidParameterException."""
    main = next((each for each in definition.containers if each["name"] == MAIN), None)
    if main is None:
        raise errors.InvalidParameter(f"The task definition must have a container named {MAIN}.")
    return dict(main)


def find_port(definition: Definition) -> dict[str, Any]:
    """Return the port mapping that gets the traffic. Raises InvalidParameterException."""
    mappings: list[dict[str, Any]] = find_main(definition)["portMappings"]
    if len(mappings) != 1 or mappings[0].get("protocol") != "tcp" or not mappings[0].get("name"):
        raise errors.InvalidParameter(
            f"The container {MAIN} must have a single TCP port mapping with a container port and a port name."
        )
    if "FARGATE" not in (definition.shape.get("compatibilities") or ()):
        raise errors.InvalidParameter("The task definition must be compatible with FARGATE.")
    return mappings[0]


def _read_container(main: Mapping[str, Any]) -> dict[str, Any]:
    return read_container(main) if main else {}


def read_container(main: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container of a task definition as Express services have it."""
    options = (main.get("logConfiguration") or {}).get("options") or {}
    logs = None
    if "awslogs-group" in options:
        logs = {"logGroup": options["awslogs-group"], "logStreamPrefix": options.get("awslogs-stream-prefix") or ""}
    found = {
        "image": main["image"],
        "containerPort": main["portMappings"][0]["containerPort"] if main.get("portMappings") else None,
        "awsLogsConfiguration": logs,
        **{name: main.get(name) for name in ("command", "environment", "secrets", "repositoryCredentials")},
    }
    return {name: value for name, value in found.items() if value}
