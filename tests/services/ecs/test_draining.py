"""Container instances that are drained, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecs.serving import Services

STOPPED: Any = lambda each: each["lastStatus"] == "STOPPED"  # noqa: E731


@pytest.fixture
def web(aws: Aws) -> Services:
    return Services(aws)


def set_state(web: Services, status: str) -> dict[str, Any]:
    (arn,) = web.ecs.list_container_instances()["containerInstanceArns"]
    answer = web.ecs.update_container_instances_state(containerInstances=[arn], status=status)
    return dict(answer["containerInstances"][0])


def test_one_that_is_drained_loses_the_tasks_of_services_and_gets_no_others(web: Services) -> None:
    own = web.wait(web.run({}), "RUNNING")
    half = {"minimumHealthyPercent": 50, "maximumPercent": 200}
    web.create(deploymentConfiguration=half)
    web.ecs.create_service(serviceName="each", taskDefinition="web", schedulingStrategy="DAEMON")
    web.settle()
    (daemon,) = web.ecs.list_tasks(serviceName="each")["taskArns"]
    assert set_state(web, "DRAINING")["status"] == "DRAINING"
    # As many tasks are stopped as may be, and the scheduler says why there are no others.
    web.until(lambda each: each["runningCount"] == 1)
    web.wait(daemon, STOPPED)
    assert any("No Container Instances were found in your cluster." in each for each in web.list_messages())
    assert refused(web.ecs.run_task, taskDefinition="web") == (
        "InvalidParameterException",
        "No Container Instances were found in your cluster.",
    )
    (arn,) = web.ecs.list_container_instances(status="DRAINING")["containerInstanceArns"]
    assert web.ecs.list_container_instances(status="ACTIVE")["containerInstanceArns"] == []
    started = web.ecs.start_task(taskDefinition="web", containerInstances=[arn])
    assert started["failures"] == [{"arn": arn, "reason": "INACTIVE"}]
    # Other tasks run on.
    assert web.describe(own["taskArn"])["lastStatus"] == "RUNNING"
    assert set_state(web, "ACTIVE")["status"] == "ACTIVE"
    web.settle()
    assert web.ecs.list_tasks(serviceName="each")["taskArns"]


def test_a_service_that_may_lose_no_task_keeps_them(web: Services) -> None:
    web.create(desiredCount=1)
    web.settle()
    before = web.list_tasks()
    set_state(web, "DRAINING")
    web.until(lambda each: any("unable to place a task" in event["message"] for event in each["events"]))
    assert web.list_tasks() == before
    set_state(web, "ACTIVE")
    web.settle()
    assert web.list_tasks() == before


def test_mistakes_are_told(web: Services) -> None:
    update = web.ecs.update_container_instances_state
    assert update(containerInstances=["none"], status="DRAINING")["failures"] == [{"arn": "none", "reason": "MISSING"}]
    assert code_of(update, containerInstances=["none"], status="REGISTERING") == "InvalidParameterException"
    assert code_of(update, containerInstances=[], status="DRAINING") == "InvalidParameterException"
    assert code_of(update, cluster="none", containerInstances=["a"], status="ACTIVE") == "ClusterNotFoundException"
