"""Blue/green deployments by ECS itself, with lifecycle hooks; and task sets, of those who deploy by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecs.serving import Services
from tests.services.lambda_.cloud import FunctionCloud, make_role, package
from tests.standing import Standing, eventually

FOR_ECS = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
HOOK = """
def handler(event, context):
    details = event["hookDetails"]
    if details.get("answer") == "FAILED":
        return {"hookStatus": "FAILED"}
    if "seen" not in details:
        return {"hookStatus": "IN_PROGRESS", "callBackDelay": 1, "hookDetails": {"seen": event["lifecycleStage"]}}
    assert event["executionDetails"]["serviceArn"].endswith("service/default/web")
    return {"hookStatus": "SUCCEEDED"}
"""


@pytest.fixture
def web(aws: Aws) -> Services:
    return Services(aws)


def configure(*hooks: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": list(hooks)}


def pause(*stages: str, **timeout: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"targetType": "PAUSE", "lifecycleStages": list(stages)}
    return {**made, "timeoutConfiguration": timeout} if timeout else made


def test_blue_and_green_run_together_until_somebody_goes_on(web: Services) -> None:
    web.create(desiredCount=1, deploymentConfiguration=configure())
    web.settle()
    (blue,) = web.list_tasks()
    hook = pause("POST_SCALE_UP", "POST_PRODUCTION_TRAFFIC_SHIFT")
    web.update(forceNewDeployment=True, deploymentConfiguration=configure(hook))
    waiting = web.until_operation(lambda each: bool(each["lifecycleHookDetails"]))
    assert (waiting["status"], waiting["lifecycleStage"]) == ("IN_PROGRESS", "POST_SCALE_UP")
    assert len(web.list_tasks()) == 2
    (detail,) = waiting["lifecycleHookDetails"]
    assert (detail["targetType"], detail["status"], detail["timeoutAction"]) == (
        "PAUSE",
        "AWAITING_ACTION",
        "ROLLBACK",
    )
    arn = waiting["serviceDeploymentArn"]
    web.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=detail["hookId"])
    again = web.until_operation(lambda each: each["lifecycleStage"] == "POST_PRODUCTION_TRAFFIC_SHIFT")
    assert blue in web.list_tasks()
    (detail,) = again["lifecycleHookDetails"]
    web.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=detail["hookId"], action="CONTINUE")
    assert web.until_operation(lambda each: each["status"] == "SUCCESSFUL")["lifecycleStage"] == "CLEAN_UP"
    web.settle()
    assert blue not in web.list_tasks()
    refusal = refused(web.ecs.continue_service_deployment, serviceDeploymentArn=arn, hookId=detail["hookId"])
    assert refusal == ("InvalidParameterException", "The specified hook does not await an action.")


def test_somebody_rolls_back(web: Services) -> None:
    web.create(desiredCount=1, deploymentConfiguration=configure())
    web.settle()
    blue = web.list_tasks()
    web.update(forceNewDeployment=True, deploymentConfiguration=configure(pause("PRE_SCALE_UP")))
    waiting = web.until_operation(lambda each: bool(each["lifecycleHookDetails"]))
    assert web.list_tasks() == blue
    web.ecs.continue_service_deployment(
        serviceDeploymentArn=waiting["serviceDeploymentArn"],
        hookId=waiting["lifecycleHookDetails"][0]["hookId"],
        action="ROLLBACK",
    )
    web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    web.settle()
    assert web.list_tasks() == blue


def test_functions_decide(aws: Aws, web: Services) -> None:
    functions = FunctionCloud(aws)
    functions.function("hook", Code={"ZipFile": package({"index.py": HOOK})})
    hook = {
        "hookTargetArn": functions.arn("hook"),
        "roleArn": make_role(aws.client("iam"), trust=FOR_ECS, name="hooks"),
        "lifecycleStages": ["PRE_SCALE_UP"],
    }
    web.create(desiredCount=1, deploymentConfiguration=configure(hook))
    good = web.settle()
    assert web.list_operations()[0]["status"] == "SUCCESSFUL"
    failing = {**hook, "hookDetails": {"answer": "FAILED"}, "lifecycleStages": ["POST_SCALE_UP"]}
    web.register({"environment": [{"name": "VERSION", "value": "2"}]}, family="web")
    web.update(taskDefinition="web", deploymentConfiguration=configure(failing))
    operation = web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    assert operation["statusReason"] == "Lifecycle hook failed at POST_SCALE_UP."
    assert web.settle()["taskDefinition"] == good["taskDefinition"]


@pytest.mark.parametrize(
    "configuration",
    [
        {"strategy": "ROLLING", "lifecycleHooks": [pause("PRE_SCALE_UP")]},
        {"strategy": "BLUE_GREEN", "lifecycleHooks": [pause("TEST_TRAFFIC_SHIFT")]},
        {"strategy": "BLUE_GREEN", "lifecycleHooks": [{"lifecycleStages": ["PRE_SCALE_UP"]}]},
        {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2000},
        {"strategy": "BLUE_GREEN", "lifecycleHooks": [{**pause("PRE_SCALE_UP"), "hookDetails": ["no", "object"]}]},
        {"strategy": "BLUE_GREEN", "lifecycleHooks": [{**pause("PRE_SCALE_UP"), "hookDetails": {"number": 2**70}}]},
    ],
)
def test_hooks_are_checked(web: Services, configuration: dict[str, Any]) -> None:
    assert code_of(web.create, deploymentConfiguration=configuration) == "InvalidParameterException"


def test_task_sets_share_the_desired_count(web: Services) -> None:
    web.create(taskDefinition=None, desiredCount=3, deploymentController={"type": "EXTERNAL"})
    place = {"cluster": "default", "service": "web"}
    scale = {"value": 50, "unit": "PERCENT"}
    made = web.ecs.create_task_set(**place, taskDefinition="web", scale=scale, externalId="mine")["taskSet"]
    assert (made["status"], made["computedDesiredCount"], made["stabilityStatus"]) == ("ACTIVE", 2, "STABILIZING")

    def describe() -> dict[str, Any]:
        return dict(web.ecs.describe_task_sets(**place, taskSets=[made["id"]])["taskSets"][0])

    assert eventually(describe, lambda each: each["stabilityStatus"] == "STEADY_STATE")["runningCount"] == 2
    web.ecs.update_service_primary_task_set(**place, primaryTaskSet=made["taskSetArn"])
    found = web.look()
    assert (found["taskDefinition"], found["taskSets"][0]["status"]) == (made["taskDefinition"], "PRIMARY")
    web.ecs.update_task_set(**place, taskSet=made["id"], scale={"value": 100, "unit": "PERCENT"})
    eventually(describe, lambda each: each["runningCount"] == 3)
    assert code_of(web.ecs.delete_task_set, **place, taskSet=made["id"]) == "InvalidParameterException"
    assert web.ecs.delete_task_set(**place, taskSet=made["id"], force=True)["taskSet"]["status"] == "DRAINING"
    eventually(lambda: web.ecs.describe_task_sets(**place)["taskSets"], lambda sets: not sets)
    assert code_of(web.ecs.update_task_set, **place, taskSet="none", scale=scale) == "TaskSetNotFoundException"


def test_what_task_sets_have_is_not_their_service_s(web: Services) -> None:
    web.create(taskDefinition=None, desiredCount=0, deploymentController={"type": "EXTERNAL"})
    assert web.update(desiredCount=1, serviceConnectConfiguration={"enabled": False})["desiredCount"] == 1
    for given in (
        {"forceNewDeployment": True},
        {"taskDefinition": "web"},
        {"loadBalancers": [{"targetGroupArn": "arn"}]},
    ):
        assert code_of(web.update, **given) == "InvalidParameterException"


def test_task_sets_are_for_external_controllers(web: Services) -> None:
    web.create(desiredCount=0)
    code, _ = refused(web.ecs.create_task_set, cluster="default", service="web", taskDefinition="web")
    assert code == "InvalidParameterException"
    external = {"serviceName": "other", "deploymentController": {"type": "EXTERNAL"}}
    assert code_of(web.create, **external) == "InvalidParameterException"


def test_both_bake_for_some_minutes(standing: Standing) -> None:
    web = Services(standing.account())

    def settle() -> None:
        """Let tasks run for as long as they must, to count as healthy."""
        web.until(lambda service: service["pendingCount"] == 0 and service["runningCount"] > 0)
        standing.advance("5s")

    web.create(desiredCount=1, deploymentConfiguration={**configure(), "bakeTimeInMinutes": 10})
    settle()
    web.settle()
    (blue,) = web.list_tasks()
    web.update(forceNewDeployment=True)
    web.until(lambda service: service["runningCount"] == 2)
    settle()
    web.until_operation(lambda each: each["lifecycleStage"] == "BAKE_TIME")
    standing.advance("9m")
    assert web.list_operations()[0]["status"] == "IN_PROGRESS"
    assert blue in web.list_tasks()
    standing.advance("2m")
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    assert blue not in web.list_tasks()
    # A steady state is told again each six hours.
    eventually(lambda: web.list_messages()[-1].endswith("has reached a steady state."))
    told = len(web.list_messages())
    standing.advance("7h")
    eventually(lambda: web.list_messages()[told:] == ["(service web) has reached a steady state."])
