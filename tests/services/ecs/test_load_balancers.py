"""Services behind load balancers: their tasks are targets while they run."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.ecs.balancing import WEB, Balanced, configure, pause
from tests.services.ecs.serving import is_settled
from tests.standing import Standing, eventually


@pytest.fixture
def web(aws: Aws) -> Balanced:
    return Balanced(aws)


def test_tasks_are_registered_and_deregistered(web: Balanced) -> None:
    made = web.create()
    assert made["loadBalancers"] == [web.balance()]
    web.settle()
    assert web.list_targets(web.blue) == web.list_addresses()
    told = re.findall(
        r"registered (\d) targets in \(target-group (.+)\)$", "\n".join(web.list_messages()), re.MULTILINE
    )
    assert sum(int(count) for count, _ in told) == 2
    assert {group for _, group in told} == {web.blue}
    (gone,) = web.list_tasks()[:1]
    web.ecs.stop_task(task=gone)
    web.until(lambda service: service["runningCount"] == 1)
    web.settle()
    # The new target may be there a moment before the old one drains.
    eventually(lambda: web.list_targets(web.blue) == web.list_addresses())
    told = eventually(web.list_messages, lambda told: any("deregistered" in message for message in told))
    assert "(service web) has begun draining connections on 1 tasks." in told
    assert f"(service web) deregistered 1 targets in (target-group {web.blue})" in told
    web.ecs.delete_service(service="web", force=True)
    eventually(lambda: web.balancers.health(web.blue), lambda found: not found)


def test_no_request_is_lost_while_tasks_are_replaced(web: Balanced) -> None:
    web.create()
    web.settle()
    assert web.front.eventually(200) == "one\n"
    web.update(taskDefinition=web.publish("two"))
    answers: Counter[tuple[int, str]] = Counter()
    while not is_settled(web.look()):
        answers.update(web.front.ask() for _ in range(20))
    answers.update(web.front.ask() for _ in range(20))
    assert answers.keys() == {(200, "one\n"), (200, "two\n")}
    assert web.front.ask() == (200, "two\n")


def test_tasks_that_the_load_balancer_calls_unhealthy_are_replaced(web: Balanced) -> None:
    web.publish("one", "(sleep 8; rm /srv/index.html) &")
    web.create(desiredCount=1)
    (bad,) = eventually(web.list_tasks)
    stopped = web.wait(bad, lambda task: task["desiredStatus"] == "STOPPED")
    assert stopped["stoppedReason"] == f"Task failed ELB health checks in (target-group {web.blue})"
    name, task = web.blue.split("/")[1], bad.rpartition("/")[2]
    where = f"(service web) (task {task}) (port 80) is unhealthy in (target-group {name})"
    told = [each for each in web.list_messages() if each.startswith(where)]
    assert told == [f"{where} due to (reason Health checks failed with these codes: [404])"]


def test_what_makes_no_sense_is_refused(web: Balanced) -> None:
    other = web.balancers.create_group()
    instances = web.balancers.create_group(TargetType="instance")
    web.balancers.listen(web.balancer, instances, 81)
    named = f"The target group with targetGroupArn {other} does not have an associated load balancer."
    assert refuse(web, targetGroupArn=other) == named
    assert refuse(web, containerName="none") == "The container none does not exist in the task definition."
    assert refuse(web, containerPort=81) == "The container main did not have a container port 81 defined."
    assert refuse(web, targetGroupArn=instances) == (
        f"The provided target group {instances} has target type instance, which is incompatible with the awsvpc "
        "network mode specified in the task definition."
    )
    web.register(WEB, family="host")
    code, message = refused(web.create, taskDefinition="host", networkConfiguration=None)
    assert "has target type ip, which is incompatible with the host network mode" in message
    assert refuse(web, targetGroupArn=web.blue[:-1] + "x").endswith("does not exist.")
    code, _ = refused(web.create, loadBalancers=[{"loadBalancerName": "classic"}])
    assert code == "ClientException"
    role = f"arn:aws:iam::{web.aws.account}:role/worker"
    _, message = refused(web.create, role=role)
    assert message == "You cannot specify an IAM role for services that require a service linked role."
    code, message = refused(web.create, deploymentConfiguration={"strategy": "BLUE_GREEN"})
    assert message == (
        "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy."
    )


def refuse(web: Balanced, **members: Any) -> str:
    code, message = refused(web.create, loadBalancers=[{**web.balance(), **members}])
    assert code == "InvalidParameterException"
    return message


def test_blue_and_green_share_a_rule(web: Balanced) -> None:
    web.create(desiredCount=1, loadBalancers=[web.shift()], deploymentConfiguration=configure("BLUE_GREEN"))
    web.settle()
    assert (web.get_weights(web.rule), web.get_weights(web.test_rule)) == ((100, 0), (100, 0))
    blue = web.list_addresses()
    hook = pause("POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")
    web.update(taskDefinition=web.publish("two"), deploymentConfiguration=configure("BLUE_GREEN", hook))
    waiting = web.wait_for_stage("POST_TEST_TRAFFIC_SHIFT")
    assert (web.get_weights(web.rule), web.get_weights(web.test_rule)) == ((100, 0), (0, 100))
    assert web.list_targets(web.blue) == blue
    green = web.list_targets(web.green)
    assert web.list_addresses() == blue | green
    eventually(lambda: web.front.ask("/test")[1], lambda body: body == "two\n")
    assert {web.front.ask("/")[1] for _ in range(10)} == {"one\n"}
    assert find_weights(waiting["targetServiceRevision"]) == (100.0, 0.0)
    assert find_weights(waiting["sourceServiceRevisions"][0]) == (0.0, 100.0)
    revision = waiting["targetServiceRevision"]["arn"]
    (described,) = web.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    assert described["resolvedConfiguration"]["loadBalancers"] == [
        {"targetGroupArn": web.green, "productionListenerRule": web.rule}
    ]
    web.go_on(waiting)
    waiting = web.wait_for_stage("POST_PRODUCTION_TRAFFIC_SHIFT")
    assert web.get_weights(web.rule) == (0, 100)
    assert find_weights(waiting["targetServiceRevision"]) == (100.0, 100.0)
    eventually(lambda: web.front.ask("/")[1], lambda body: body == "two\n")
    web.go_on(waiting)
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    web.settle()
    assert web.list_addresses() == green
    eventually(lambda: web.list_targets(web.blue), lambda found: not found)
    web.update(forceNewDeployment=True, deploymentConfiguration=configure("BLUE_GREEN"))
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    # The next one is in the first group again.
    assert (web.get_weights(web.rule), web.get_weights(web.test_rule)) == ((100, 0), (100, 0))
    web.settle()
    assert web.list_targets(web.blue) == web.list_addresses()


def test_traffic_is_shifted_back(web: Balanced) -> None:
    web.create(desiredCount=1, loadBalancers=[web.shift()], deploymentConfiguration=configure("BLUE_GREEN"))
    web.settle()
    blue = web.list_addresses()
    hook = pause("POST_PRODUCTION_TRAFFIC_SHIFT")
    web.update(forceNewDeployment=True, deploymentConfiguration=configure("BLUE_GREEN", hook))
    waiting = web.wait_for_stage("POST_PRODUCTION_TRAFFIC_SHIFT")
    assert web.get_weights(web.rule) == (0, 100)
    web.ecs.stop_service_deployment(serviceDeploymentArn=waiting["serviceDeploymentArn"])
    web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    assert (web.get_weights(web.rule), web.get_weights(web.test_rule)) == ((100, 0), (100, 0))
    web.settle()
    assert web.list_addresses() == blue
    eventually(lambda: web.list_targets(web.green), lambda found: not found)


def test_a_newer_deployment_takes_the_place_of_one_that_has_traffic(web: Balanced) -> None:
    web.create(desiredCount=1, loadBalancers=[web.shift()], deploymentConfiguration=configure("BLUE_GREEN"))
    web.settle()
    hook = pause("POST_PRODUCTION_TRAFFIC_SHIFT")
    web.update(forceNewDeployment=True, deploymentConfiguration=configure("BLUE_GREEN", hook))
    web.wait_for_stage("POST_PRODUCTION_TRAFFIC_SHIFT")
    given_up = web.list_targets(web.green)
    web.update(forceNewDeployment=True, deploymentConfiguration=configure("BLUE_GREEN", pause("POST_SCALE_UP")))
    waiting = web.wait_for_stage("POST_SCALE_UP")
    assert (web.get_weights(web.rule), web.get_weights(web.test_rule)) == ((100, 0), (100, 0))
    assert not web.list_targets(web.green) & given_up
    web.go_on(waiting)
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    assert web.get_weights(web.rule) == (0, 100)


def test_traffic_is_shifted_in_steps(web: Balanced) -> None:
    linear = {"linearConfiguration": {"stepPercent": 33.4, "stepBakeTimeInMinutes": 0}}
    given = configure("LINEAR", pause("PRE_PRODUCTION_TRAFFIC_SHIFT"), **linear)
    web.create(desiredCount=1, loadBalancers=[web.shift()], deploymentConfiguration=given)
    web.go_on(web.wait_for_stage("PRE_PRODUCTION_TRAFFIC_SHIFT"))
    web.settle()
    web.update(forceNewDeployment=True)
    for weights in ((100, 0), (666, 334), (332, 668)):
        waiting = web.wait_for_stage("PRE_PRODUCTION_TRAFFIC_SHIFT", weights)
        web.go_on(waiting)
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    assert web.get_weights(web.rule) == (0, 100)
    canary = {"canaryConfiguration": {"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 0}}
    given = configure("CANARY", pause("PRE_PRODUCTION_TRAFFIC_SHIFT"), **canary)
    web.update(forceNewDeployment=True, deploymentConfiguration=given)
    web.go_on(web.wait_for_stage("PRE_PRODUCTION_TRAFFIC_SHIFT", (0, 100)))
    web.go_on(web.wait_for_stage("PRE_PRODUCTION_TRAFFIC_SHIFT", (5, 995)))
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    assert web.get_weights(web.rule) == (100, 0)


@pytest.mark.parametrize("strategy", ["LINEAR", "CANARY"])
def test_each_step_of_a_network_load_balancer_s_traffic_bakes(standing: Standing, strategy: str) -> None:
    web = Balanced(standing.account(), is_network=True)
    steps: dict[str, Any] = {
        "LINEAR": {"linearConfiguration": {"stepPercent": 50, "stepBakeTimeInMinutes": 6}},
        "CANARY": {"canaryConfiguration": {"canaryPercent": 50, "canaryBakeTimeInMinutes": 6}},
    }
    given = {**configure(strategy, **steps[strategy]), "bakeTimeInMinutes": 5}
    web.create(desiredCount=1, loadBalancers=[web.shift()], deploymentConfiguration=given)
    web.settle()
    # Of two deployments in one millisecond, either may be listed first.
    standing.advance("1s")
    web.update(taskDefinition=web.publish("two"))
    web.until_operation(lambda each: find_weights(each["targetServiceRevision"]) == (100.0, 50.0))
    assert (web.get_weights(web.rule), web.get_weights(web.test_rule)) == ((50, 50), (0, 100))
    eventually(lambda: {web.front.ask()[1] for _ in range(8)}, lambda bodies: bodies == {"one\n", "two\n"})
    assert web.front.ask(port=81) == (200, "two\n")
    standing.advance("5m")
    assert web.list_operations()[0]["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT"
    standing.advance("1m")
    web.until_operation(lambda each: each["lifecycleStage"] == "BAKE_TIME")
    assert web.get_weights(web.rule) == (0, 100)
    standing.advance("4m")
    assert len(web.list_tasks()) == 2
    standing.advance("1m")
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    assert web.list_targets(web.green) == web.list_addresses()


def test_traffic_that_cannot_be_shifted_makes_a_deployment_fail(web: Balanced) -> None:
    web.create(desiredCount=1, loadBalancers=[web.shift()], deploymentConfiguration=configure("BLUE_GREEN"))
    web.settle()
    hook = pause("POST_TEST_TRAFFIC_SHIFT")
    web.update(forceNewDeployment=True, deploymentConfiguration=configure("BLUE_GREEN", hook))
    waiting = web.wait_for_stage("POST_TEST_TRAFFIC_SHIFT")
    web.elb.delete_rule(RuleArn=web.test_rule)
    # A rule that is gone keeps nobody from rolling back.
    web.ecs.stop_service_deployment(serviceDeploymentArn=waiting["serviceDeploymentArn"])
    web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    web.update(forceNewDeployment=True)
    failed = web.until_operation(
        lambda each: (
            each["serviceDeploymentArn"] != waiting["serviceDeploymentArn"] and each["status"].startswith("ROLL")
        )
    )
    assert failed["statusReason"].startswith("ECS was unable to shift traffic: ")
    assert web.get_weights(web.rule) == (100, 0)
    web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    # Nor does a load balancer that is gone, which sends requests to no task.
    web.update(forceNewDeployment=True, deploymentConfiguration=configure("BLUE_GREEN", pause("POST_SCALE_UP")))
    waiting = web.wait_for_stage("POST_SCALE_UP")
    web.elb.delete_load_balancer(LoadBalancerArn=web.balancer)
    web.ecs.stop_service_deployment(serviceDeploymentArn=waiting["serviceDeploymentArn"])
    web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")


def test_a_target_group_that_is_gone_is_told_of(web: Balanced) -> None:
    web.create(desiredCount=0)
    for rule in (web.rule, web.test_rule):
        web.elb.delete_rule(RuleArn=rule)
    web.elb.delete_target_group(TargetGroupArn=web.blue)
    web.update(desiredCount=1)
    words = f"(service web) failed to register targets in (target-group {web.blue}) with (error "
    told = eventually(lambda: [each for each in web.list_messages() if each.startswith(words)])
    assert len(told) == 1
    (waiting,) = web.list_tasks()
    assert web.describe(waiting)["lastStatus"] == "ACTIVATING"
    web.ecs.delete_service(service="web", force=True)
    assert web.wait(waiting, lambda task: task["lastStatus"] == "STOPPED")


def test_task_sets_have_load_balancers(web: Balanced) -> None:
    external = {"taskDefinition": None, "networkConfiguration": None, "loadBalancers": None}
    web.create(**external, deploymentController={"type": "EXTERNAL"})
    place = {"cluster": "default", "service": "web"}
    scale = {"value": 100, "unit": "PERCENT"}
    made = web.ecs.create_task_set(
        **place, taskDefinition="web", scale=scale, loadBalancers=[web.balance()], networkConfiguration=web.network
    )["taskSet"]
    assert made["loadBalancers"] == [web.balance()]
    eventually(lambda: len(web.list_targets(web.blue)), lambda count: count == 2)
    eventually(
        lambda: web.ecs.describe_task_sets(**place)["taskSets"][0]["stabilityStatus"],
        lambda status: status == "STEADY_STATE",
    )


def find_weights(revision: dict[str, Any]) -> tuple[float, float]:
    return revision["requestedTestTrafficWeight"], revision["requestedProductionTrafficWeight"]
