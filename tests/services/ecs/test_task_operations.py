"""The operations on tasks: what they list, describe, protect and refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import LOGS, Tasks
from tests.standing import eventually

NONE = "0" * 32


@pytest.fixture
def tasks(aws: Aws) -> Tasks:
    return Tasks(aws)


def refused(call: Any, **params: Any) -> tuple[str, str]:
    """Return the code and the message of the error of a call."""
    with pytest.raises(ClientError) as failure:
        call(**params)
    error = failure.value.response["Error"]
    return error["Code"], error["Message"]


def test_tasks_are_listed_by_what_they_are(tasks: Tasks) -> None:
    first = tasks.run({"stopTimeout": 2}, family="web", run={"startedBy": "a"})
    second = tasks.run({"stopTimeout": 2}, family="job", run={"startedBy": "b"})

    def listed(**filters: Any) -> set[str]:
        return set(tasks.ecs.list_tasks(**filters)["taskArns"])

    assert listed() == {first, second}
    assert listed(family="web") == {first}
    assert listed(startedBy="b") == {second}
    assert listed(launchType="EC2") == {first, second}
    assert listed(launchType="FARGATE") == listed(desiredStatus="PENDING") == set()
    (instance,) = tasks.ecs.list_container_instances()["containerInstanceArns"]
    assert listed(containerInstance=instance) == {first, second}
    pages = tasks.ecs.get_paginator("list_tasks").paginate(PaginationConfig={"PageSize": 1})
    assert [len(page["taskArns"]) for page in pages] == [1, 1]
    assert refused(tasks.ecs.list_tasks, startedBy="a", family="web")[0] == "InvalidParameterException"
    for arn in (first, second):
        tasks.ecs.stop_task(task=arn)
        tasks.wait(arn, "STOPPED")


def test_a_task_is_started_on_the_container_instance(tasks: Tasks) -> None:
    (instance,) = tasks.ecs.list_container_instances()["containerInstanceArns"]
    definition = tasks.register({"command": ["true"]})
    answer = tasks.ecs.start_task(taskDefinition=definition, containerInstances=[instance, "other"])
    assert answer["failures"] == [{"arn": "other", "reason": "MISSING"}]
    (task,) = answer["tasks"]
    assert task["containerInstanceArn"] == instance
    assert tasks.wait(task["taskArn"], "STOPPED")["containers"][0]["exitCode"] == 0


def test_what_is_not_there(tasks: Tasks) -> None:
    answer = tasks.ecs.describe_tasks(tasks=[NONE])
    arn = f"arn:aws:ecs:us-east-1:{tasks.aws.account}:task/default/{NONE}"
    assert (answer["tasks"], answer["failures"]) == ([], [{"arn": arn, "reason": "MISSING"}])
    ecs = tasks.ecs
    assert refused(ecs.stop_task, task=NONE) == ("InvalidParameterException", "The referenced task was not found.")
    assert refused(ecs.run_task, taskDefinition="none") == ("ClientException", "TaskDefinition not found.")
    assert refused(ecs.run_task, cluster="none", taskDefinition="a") == (
        "ClusterNotFoundException",
        "Cluster not found.",
    )
    assert refused(ecs.describe_tasks, tasks=[]) == ("InvalidParameterException", "Tasks cannot be empty.")


def test_what_a_request_may_not_say(tasks: Tasks) -> None:
    definition = tasks.register({"command": ["true"]})

    def run(**params: Any) -> tuple[str, str]:
        return refused(tasks.ecs.run_task, taskDefinition=definition, **params)

    assert run(count=11)[0] == "InvalidParameterException"
    assert run(launchType="FARGATE")[0] == "InvalidParameterException"
    assert run(startedBy="no spaces")[0] == "InvalidParameterException"
    assert run(placementConstraints=[{"type": "memberOf", "expression": "rack =="}])[0] == "InvalidParameterException"
    assert run(placementStrategy=[{"type": "binpack", "field": "rack"}])[0] == "InvalidParameterException"
    assert (
        run(networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}})[0] == "InvalidParameterException"
    )
    assert run(propagateTags="SERVICE")[0] == "InvalidParameterException"


def test_tags_of_definitions_are_handed_on(tasks: Tasks) -> None:
    definition = tasks.register({"command": ["true"]}, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "1"}])
    (task,) = tasks.ecs.run_task(
        taskDefinition=definition,
        propagateTags="TASK_DEFINITION",
        tags=[{"key": "b", "value": "2"}],
        enableECSManagedTags=True,
    )["tasks"]
    given = {each["key"]: each["value"] for each in tasks.describe(task["taskArn"])["tags"]}
    assert given == {"a": "1", "b": "2", "aws:ecs:clusterName": "default"}


def test_only_tasks_of_services_can_be_protected(tasks: Tasks) -> None:
    arn = tasks.run({"stopTimeout": 2})
    answer = tasks.ecs.update_task_protection(cluster="default", tasks=[arn, NONE], protectionEnabled=True)
    assert [each["reason"] for each in answer["failures"]] == ["TASK_NOT_VALID", "MISSING"]
    tasks.ecs.stop_task(task=arn)
    many = [f"{number:032x}" for number in range(11)]
    assert len(tasks.ecs.get_task_protection(cluster="default", tasks=many)["failures"]) == 11
    refusal = refused(tasks.ecs.update_task_protection, cluster="default", tasks=many, protectionEnabled=True)
    assert refusal == ("InvalidParameterException", "Tasks can have at most 10 items.")


def test_tasks_of_a_service_are_protected_for_a_while(tasks: Tasks) -> None:
    tasks.register({"stopTimeout": 2}, family="web")
    tasks.ecs.create_service(serviceName="web", taskDefinition="web", desiredCount=1)
    while not (listed := tasks.ecs.list_tasks(serviceName="web")["taskArns"]):
        pass
    (protected,) = tasks.ecs.update_task_protection(
        cluster="default", tasks=listed, protectionEnabled=True, expiresInMinutes=5
    )["protectedTasks"]
    assert (protected["taskArn"], protected["protectionEnabled"]) == (listed[0], True)
    assert tasks.ecs.get_task_protection(cluster="default")["protectedTasks"] == [protected]
    (freed,) = tasks.ecs.update_task_protection(cluster="default", tasks=listed, protectionEnabled=False)[
        "protectedTasks"
    ]
    assert freed == {"taskArn": listed[0], "protectionEnabled": False}
    minutes = refused(
        tasks.ecs.update_task_protection, cluster="default", tasks=listed, protectionEnabled=True, expiresInMinutes=2881
    )
    assert minutes[0] == "InvalidParameterException"
    tasks.ecs.delete_service(service="web", force=True)


_ASK = """
place=${ECS_AGENT_URI#http://}; host=${place%%/*}; path=/${place#*/}/task-protection/v1/state
ask() {
    printf "PUT $path HTTP/1.0\\r\\nContent-Length: ${#1}\\r\\n\\r\\n$1" | nc -w 2 $host 80 | grep '{'; echo
}
ask '{"ProtectionEnabled":true,"ExpiresInMinutes":5}'
ask '{"ProtectionEnabled":true,"ExpiresInMinutes":"soon"}'
exec sleep 1000
"""


def test_a_task_protects_itself(tasks: Tasks) -> None:
    container = {"command": ["sh", "-c", _ASK], "logConfiguration": LOGS, "stopTimeout": 1}
    tasks.register(container, family="web", mode="bridge")
    tasks.ecs.create_service(serviceName="web", taskDefinition="web", desiredCount=1)
    (arn,) = eventually(lambda: tasks.ecs.list_tasks(serviceName="web")["taskArns"])
    tasks.wait(arn, "RUNNING")
    said = [json.loads(line) for line in eventually(lambda: _read(tasks, arn), lambda lines: len(lines) == 2)]
    assert (said[0]["protection"]["ProtectionEnabled"], said[0]["protection"]["TaskArn"]) == (True, arn)
    assert said[1]["error"]["Code"] == "InvalidParameterException"
    (protected,) = tasks.ecs.get_task_protection(cluster="default")["protectedTasks"]
    assert protected["protectionEnabled"]
    tasks.ecs.delete_service(service="web", force=True)


def _read(tasks: Tasks, arn: str) -> list[str]:
    """Return what a task has logged by now."""
    try:
        return [line for line in tasks.read(arn) if line.startswith("{")]
    except tasks.aws.client("logs").exceptions.ResourceNotFoundException:
        return []
