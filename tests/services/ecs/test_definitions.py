"""Task definitions: registered with what AWS checks and adds, listed, deregistered and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.standing import eventually

WEB: dict[str, Any] = {"name": "web", "image": "nginx", "memory": 128}


def register(ecs: Any, family: str = "web", **members: Any) -> dict[str, Any]:
    containers = members.pop("containerDefinitions", [WEB])
    made: dict[str, Any] = ecs.register_task_definition(family=family, containerDefinitions=containers, **members)
    return made["taskDefinition"]


def reject(ecs: Any, *containers: dict[str, Any], **members: Any) -> str:
    """Return the message of the ClientException for a task definition."""
    given = {"family": "web", "containerDefinitions": list(containers) or [WEB], **members}
    code, message = refused(ecs.register_task_definition, **given)
    assert code == "ClientException"
    return message


def test_one_is_shown_with_what_aws_adds(aws: Aws, ecs: Any) -> None:
    made = register(ecs, containerDefinitions=[{**WEB, "portMappings": [{"containerPort": 80}]}])
    arn = f"arn:aws:ecs:us-east-1:{aws.account}:task-definition/web:1"
    assert (made["taskDefinitionArn"], made["revision"], made["status"]) == (arn, 1, "ACTIVE")
    assert made["containerDefinitions"] == [
        {
            **WEB,
            "cpu": 0,
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
            "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}],
        }
    ]
    assert made["compatibilities"] == ["EC2", "EXTERNAL"]
    assert made["registeredBy"].startswith(f"arn:aws:iam::{aws.account}:")
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"] == made
    assert ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"] == made


def test_one_for_fargate_has_a_size_in_units(ecs: Any) -> None:
    made = register(
        ecs, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu=".25 vCPU", memory="0.5 GB",
        containerDefinitions=[{"name": "web", "image": "nginx", "portMappings": [{"containerPort": 80}]}],
    )  # fmt: skip
    assert (made["cpu"], made["memory"]) == ("256", "512")
    assert made["compatibilities"] == ["EC2", "FARGATE", "MANAGED_INSTANCES"]
    assert made["containerDefinitions"][0]["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert {"name": "ecs.capability.task-eni"} in made["requiresAttributes"]


FARGATE: dict[str, Any] = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({**FARGATE, "cpu": "256", "memory": "4096"}, "No Fargate configuration exists for given values: 256 CPU, 4096 "
         "memory. See the Amazon ECS documentation for the valid values."),
        ({**FARGATE, "memory": "512"}, "Fargate requires that 'cpu' be defined at the task level."),
        ({**FARGATE, "cpu": "256"}, "Fargate requires that 'memory' be defined at the task level."),
        ({**FARGATE, "networkMode": "bridge", "cpu": "256", "memory": "512"},
         "Fargate only supports network mode ‘awsvpc’."),
        ({"cpu": "lots"}, "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of "
         "the Amazon ECS Developer Guide."),
        ({"family": "no spaces"}, "Family contains invalid characters when it should only contain letters, numbers, "
         "hyphens, and underscores."),
        ({"taskRoleArn": "arn:aws:iam::1:nonsense"}, "Role is not valid"),
        ({"taskRoleArn": "arn:aws:iam::111111111111:role/of-others"}, "Role is not valid"),
    ],
)  # fmt: skip
def test_sizes_and_names_are_checked(ecs: Any, members: dict[str, Any], message: str) -> None:
    assert reject(ecs, {"name": "web", "image": "nginx", "memory": 64}, **members) == message


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"image": "nginx", "memory": 64}, "Container.name should not be null or empty."),
        ({"name": "a b", "image": "nginx", "memory": 64}, "Container.name contains invalid characters."),
        ({"name": "web", "memory": 64}, "Container.image should not be null or empty."),
        ({"name": "web", "image": "nginx"},
         "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified."),
        ({**WEB, "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}, "Unknown volume 'data'."),
        ({**WEB, "essential": False}, "At least one container in a task definition must be essential."),
        ({**WEB, "environment": [{"name": "KEY", "value": "1"}], "secrets": [{"name": "KEY", "valueFrom": "key"}]},
         "The secret name must be unique and not shared with any new or existing environment variables set on the "
         "container."),
        ({**WEB, "healthCheck": {"command": ["curl"]}},
         "Invalid setting for container 'web'. The health check command must begin with CMD, CMD-SHELL or NONE."),
        ({**WEB, "healthCheck": {"command": ["CMD", "true"], "interval": 1}},
         "Invalid setting for container 'web'. The health check's interval must be between 5 and 300."),
    ],
)  # fmt: skip
def test_containers_are_checked(ecs: Any, container: dict[str, Any], message: str) -> None:
    assert reject(ecs, container) == message


def test_dependencies_must_make_sense(ecs: Any) -> None:
    def depend(name: str, other: str, condition: str = "START", **more: Any) -> dict[str, Any]:
        return {**WEB, "name": name, "dependsOn": [{"containerName": other, "condition": condition}], **more}

    assert reject(ecs, depend("a", "b"), depend("b", "a")) == "The container dependencies must not have a cycle."
    assert "which is no other container" in reject(ecs, depend("a", "none"))
    assert "must not be essential: b" in reject(ecs, depend("a", "b", "SUCCESS"), {**WEB, "name": "b"})
    assert "must have a health check: b" in reject(ecs, depend("a", "b", "HEALTHY"), {**WEB, "name": "b"})


def test_ports_of_a_task_with_its_own_network_are_its_own(ecs: Any) -> None:
    mapping = {"containerPort": 80, "hostPort": 8080}
    assert reject(ecs, {**WEB, "portMappings": [mapping]}, networkMode="awsvpc") == (
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
    )


@pytest.mark.parametrize(
    "members",
    [
        {"pidMode": "task"},
        {"volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
        {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
        {"containerDefinitions": [{**WEB, "privileged": True}]},
        {"containerDefinitions": [{**WEB, "firelensConfiguration": {"type": "fluentbit"}}]},
        {"containerDefinitions": [{**WEB, "logConfiguration": {"logDriver": "splunk"}}]},
        {"containerDefinitions": [{**WEB, "resourceRequirements": [{"type": "GPU", "value": "1"}]}]},
    ],
)
def test_what_cannot_be_honoured_is_refused(ecs: Any, members: dict[str, Any]) -> None:
    given = {"family": "web", "containerDefinitions": [WEB], **members}
    code, message = refused(ecs.register_task_definition, **given)
    assert code == "ClientException"
    assert message.startswith("Cloudlet does not have ")


def test_families_and_revisions_are_listed(aws: Aws, ecs: Any) -> None:
    for family in ("web", "web", "worker"):
        register(ecs, family)
    arns = [f"arn:aws:ecs:us-east-1:{aws.account}:task-definition/{each}" for each in ("web:1", "web:2", "worker:1")]
    assert ecs.list_task_definitions()["taskDefinitionArns"] == arns
    assert ecs.list_task_definitions(sort="DESC")["taskDefinitionArns"] == arns[::-1]
    assert ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"] == arns[:2]
    for order in ("ASC", "DESC"):
        pages = ecs.get_paginator("list_task_definitions").paginate(sort=order, PaginationConfig={"PageSize": 1})
        found = [arn for page in pages for arn in page["taskDefinitionArns"]]
        assert found == (arns if order == "ASC" else arns[::-1])
    ecs.deregister_task_definition(taskDefinition="worker:1")
    assert ecs.list_task_definition_families(status="ACTIVE")["families"] == ["web"]
    assert ecs.list_task_definition_families(familyPrefix="wo")["families"] == ["worker"]
    assert ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == arns[2:]


def test_one_that_is_deregistered_can_be_deleted(ecs: Any) -> None:
    made = register(ecs)
    still = ecs.delete_task_definitions(taskDefinitions=["web:1"])
    assert still["failures"] == [
        {
            "arn": made["taskDefinitionArn"],
            "reason": "The specified task definition is still in ACTIVE status. Please deregister the target and try "
            "again.",
        }
    ]
    inactive = ecs.deregister_task_definition(taskDefinition="web:1")["taskDefinition"]
    assert (inactive["status"], inactive["deregisteredAt"].year > 2000) == ("INACTIVE", True)
    (going,) = ecs.delete_task_definitions(taskDefinitions=["web:1"])["taskDefinitions"]
    assert going["status"] == "DELETE_IN_PROGRESS"
    eventually(lambda: is_gone(ecs), lambda gone: gone)
    assert register(ecs)["revision"] == 2


def is_gone(ecs: Any) -> bool:
    try:
        ecs.describe_task_definition(taskDefinition="web:1")
    except ecs.exceptions.ClientException as error:
        return bool(error.response["Error"]["Message"] == "Unable to describe task definition.")
    return False


def test_tags_stay_with_a_revision(ecs: Any) -> None:
    tags = [{"key": "team", "value": "shop"}]
    assert ecs.register_task_definition(family="web", containerDefinitions=[WEB], tags=tags)["tags"] == tags
    assert ecs.describe_task_definition(taskDefinition="web:1", include=["TAGS"])["tags"] == tags
    arn = ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"]["taskDefinitionArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": "test"}]
