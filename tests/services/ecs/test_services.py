"""Services: they keep as many tasks running as they want, of the revision that they want."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecs.serving import Services, is_settled
from tests.standing import eventually

SOON = {"Delay": 1, "MaxAttempts": 60}
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def web(aws: Aws) -> Services:
    return Services(aws)


def test_a_service_runs_its_tasks_and_tells_of_it(aws: Aws, web: Services) -> None:
    made = web.create()
    assert made["serviceArn"] == f"arn:aws:ecs:us-east-1:{aws.account}:service/default/web"
    assert (made["status"], made["launchType"], made["schedulingStrategy"]) == ("ACTIVE", "EC2", "REPLICA")
    web.ecs.get_waiter("services_stable").wait(services=["web"], WaiterConfig=SOON)
    found = web.settle()
    (deployment,) = found["deployments"]
    assert (deployment["status"], deployment["runningCount"], deployment["failedTasks"]) == ("PRIMARY", 2, 0)
    tasks = web.ecs.describe_tasks(tasks=web.list_tasks())["tasks"]
    assert {(task["group"], task["startedBy"], task["lastStatus"]) for task in tasks} == {
        ("service:web", deployment["id"], "RUNNING")
    }
    told = web.list_messages()
    assert len(told) == 3, told
    started, completed, steady = told
    assert started.startswith("(service web) has started 2 tasks: (task ")
    assert completed == f"(service web) (deployment {deployment['id']}) deployment completed."
    assert steady == "(service web) has reached a steady state."
    assert web.ecs.list_services()["serviceArns"] == [made["serviceArn"]]
    cluster = web.ecs.describe_clusters(include=["STATISTICS"])["clusters"][0]
    assert (cluster["activeServicesCount"], cluster["runningTasksCount"]) == (1, 2)
    assert {"name": "activeEC2ServiceCount", "value": "1"} in cluster["statistics"]
    instances = web.ecs.list_container_instances()["containerInstanceArns"]
    (instance,) = web.ecs.describe_container_instances(containerInstances=instances)["containerInstances"]
    sizes = [{one["name"]: one["integerValue"] for one in instance[f"{kind}Resources"]} for kind in
             ("registered", "remaining")]  # fmt: skip
    assert (sizes[0]["MEMORY"] - sizes[1]["MEMORY"], instance["runningTasksCount"]) == (2 * 128, 2)


def test_a_task_that_stops_is_replaced(web: Services) -> None:
    web.create(desiredCount=1)
    web.settle()
    (first,) = web.list_tasks()
    web.ecs.stop_task(task=first, reason="for a test")
    eventually(web.list_tasks, lambda tasks: len(tasks) == 1 and tasks != [first])
    web.settle()
    assert eventually(web.list_messages, lambda told: told[-1].endswith("steady state.") and len(told) == 5)


def test_it_grows_and_shrinks(web: Services) -> None:
    web.create(desiredCount=1)
    web.settle()
    (first,) = web.list_tasks()
    assert web.update(desiredCount=3)["desiredCount"] == 3
    web.settle()
    assert len(web.list_tasks()) == 3
    web.update(desiredCount=1)
    web.until(lambda service: is_settled(service) and len(web.list_tasks()) == 1)
    # The newest ones go first, and it is not another deployment.
    assert web.list_tasks() == [first]
    assert len(web.list_operations()) == 1


def test_another_task_definition_is_rolled_out(web: Services) -> None:
    before = web.create()["deployments"][0]["id"]
    web.settle()
    old = web.list_tasks()
    arn = web.register({"environment": [{"name": "VERSION", "value": "2"}]}, family="web")
    changed = web.update(taskDefinition="web")
    assert changed["taskDefinition"] == arn
    assert [each["status"] for each in changed["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert changed["deployments"][1]["id"] == before
    found = web.settle()
    assert found["deployments"][0]["taskDefinition"] == arn
    assert not {*web.list_tasks()} & {*old}
    newest, first = web.list_operations()
    assert (newest["status"], first["status"]) == ("SUCCESSFUL", "SUCCESSFUL")
    assert newest["sourceServiceRevisions"][0]["arn"] == first["targetServiceRevision"]["arn"]
    revision = newest["targetServiceRevision"]["arn"]
    (described,) = web.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    assert (described["taskDefinition"], described["launchType"]) == (arn, "EC2")
    assert described["containerImages"] == [{"containerName": "main", "image": web.image}]
    assert found["currentServiceDeployment"] == newest["serviceDeploymentArn"]


def test_a_deployment_is_forced(web: Services) -> None:
    web.create(desiredCount=1)
    web.settle()
    old = web.list_tasks()
    assert len(web.update(taskDefinition="web")["deployments"]) == 1
    assert len(web.update(forceNewDeployment=True)["deployments"]) == 2
    web.settle()
    assert web.list_tasks() != old


def test_without_room_the_old_task_stops_first(web: Services) -> None:
    web.create(desiredCount=1, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})
    web.settle()
    (old,) = web.list_tasks()
    web.update(forceNewDeployment=True)
    web.settle()
    new, gone = (web.describe(arn) for arn in (*web.list_tasks(), old))
    assert gone["stoppingAt"] <= new["createdAt"]


def test_a_deployment_that_has_no_room_says_so(web: Services) -> None:
    web.create(desiredCount=1, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 100})
    web.settle()
    web.update(forceNewDeployment=True)
    eventually(web.list_messages, lambda told: told[-1].startswith("(service web) was unable to stop or start tasks"))


def test_a_deployment_that_fails_is_rolled_back(web: Services) -> None:
    first = web.create(desiredCount=1, deploymentConfiguration=BREAKER)["deployments"][0]["id"]
    good = web.settle()
    old = web.list_tasks()
    web.register({"command": ["false"]}, family="web")
    failed = web.update(taskDefinition="web")["deployments"][0]["id"]
    operation = web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    found = web.settle()
    assert (found["taskDefinition"], web.list_tasks()) == (good["taskDefinition"], old)
    assert f"(service web) (deployment {failed}) deployment failed: tasks failed to start." in web.list_messages()
    assert f"(service web) rolling back to deployment {first}." in web.list_messages()
    assert operation["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert operation["rollback"]["serviceRevisionArn"] == operation["sourceServiceRevisions"][0]["arn"]


def test_a_deployment_that_fails_first_stays_failed(web: Services) -> None:
    web.register({"command": ["false"]}, family="web")
    web.create(desiredCount=1, deploymentConfiguration=BREAKER)
    found = web.until(lambda service: service["deployments"][0]["rolloutState"] == "FAILED")
    assert found["deployments"][0]["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    (operation,) = web.list_operations()
    assert (operation["status"], "stoppedAt" in operation) == ("STOPPED", True)
    assert (found["runningCount"], found["deployments"][0]["failedTasks"]) == (0, 3)


def test_a_deployment_is_stopped_by_its_user(web: Services) -> None:
    web.create(desiredCount=1)
    good = web.settle()["taskDefinition"]
    web.register({"command": ["false"]}, family="web")
    web.update(taskDefinition="web")
    arn = web.list_operations()[0]["serviceDeploymentArn"]
    web.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    assert web.settle()["taskDefinition"] == good
    assert code_of(web.ecs.stop_service_deployment, serviceDeploymentArn=arn) == "ConflictException"
    missing = arn[:-3] + "abc"
    assert code_of(web.ecs.stop_service_deployment, serviceDeploymentArn=missing) == (
        "ServiceDeploymentNotFoundException"
    )


def test_an_alarm_makes_a_deployment_fail(aws: Aws, web: Services) -> None:
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", Namespace="Shop", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": True}
    web.create(desiredCount=1, deploymentConfiguration={"alarms": alarms, "bakeTimeInMinutes": 5})
    web.settle()
    web.update(forceNewDeployment=True)
    web.until_operation(lambda each: each.get("lifecycleStage") == "BAKE_TIME")
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="for a test")
    operation = web.until_operation(lambda each: each["status"] == "ROLLBACK_SUCCESSFUL")
    assert operation["alarms"] == {
        "status": "TRIGGERED",
        "alarmNames": ["errors"],
        "triggeredAlarmNames": ["errors"],
    }
    assert any("deployment failed: alarm detected." in message for message in web.list_messages())
    # An alarm that rings already does not hold up what may put an end to it.
    web.settle()
    web.update(forceNewDeployment=True, deploymentConfiguration={"bakeTimeInMinutes": 0})
    operation = web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    assert operation["alarms"]["status"] == "DISABLED"


def test_an_unhealthy_task_is_replaced(web: Services) -> None:
    check = {"command": ["CMD", "test", "!", "-e", "/tmp/ill"], "interval": 5, "timeout": 2, "retries": 1}
    web.register({"healthCheck": check, "command": ["sh", "-c", "sleep 8; touch /tmp/ill; sleep 1000"]}, family="web")
    web.create(desiredCount=1)
    web.settle()
    (first,) = web.list_tasks()
    eventually(web.list_tasks, lambda tasks: first not in tasks)
    assert web.describe(first)["stoppedReason"] == "Task failed container health checks"


def test_one_is_deleted_with_its_tasks(aws: Aws, web: Services) -> None:
    web.create(desiredCount=1)
    web.settle()
    assert refused(web.ecs.delete_service, service="web") == (
        "InvalidParameterException",
        "The service cannot be stopped while it is scaled above 0.",
    )
    assert refused(web.ecs.delete_cluster, cluster="default") == (
        "ClusterContainsServicesException",
        "The Cluster cannot be deleted while Services are active.",
    )
    assert web.ecs.delete_service(service="web", force=True)["service"]["status"] == "DRAINING"
    assert web.ecs.list_services()["serviceArns"] == []
    web.ecs.get_waiter("services_inactive").wait(services=["web"], WaiterConfig=SOON)
    assert web.ecs.list_tasks()["taskArns"] == []
    assert code_of(web.ecs.update_service, service="web", desiredCount=1) == "ServiceNotActiveException"
    assert web.create(desiredCount=0)["status"] == "ACTIVE"
    assert [each["message"] for each in web.look()["events"]] in (
        [],
        ["(service web) has reached a steady state."],
        web.list_messages()[::-1],
    )
    assert web.ecs.describe_services(services=["none"])["failures"] == [
        {"arn": f"arn:aws:ecs:us-east-1:{aws.account}:service/default/none", "reason": "MISSING"}
    ]


def test_a_daemon_runs_once_on_this_machine(web: Services) -> None:
    web.create(desiredCount=None, schedulingStrategy="DAEMON")
    found = web.settle()
    assert (found["desiredCount"], found["runningCount"]) == (1, 1)
    assert found["deploymentConfiguration"]["minimumHealthyPercent"] == 0
    assert web.ecs.list_services(schedulingStrategy="REPLICA")["serviceArns"] == []
    assert code_of(web.ecs.update_service, service="web", desiredCount=2) == "InvalidParameterException"


def test_what_does_not_fit_on_this_machine_is_told(web: Services) -> None:
    web.register({"memory": 2**30}, family="web")
    web.create(desiredCount=1)
    (message,) = eventually(web.list_messages)
    assert message.startswith(
        "(service web) was unable to place a task because no container instance met all of its requirements. The "
        "closest matching (container-instance "
    )
    assert "has insufficient memory available" in message


def test_tags_are_propagated(web: Services) -> None:
    tags = [{"key": "team", "value": "shop"}]
    web.create(desiredCount=1, tags=tags, propagateTags="SERVICE", enableECSManagedTags=True)
    web.settle()
    (task,) = web.ecs.describe_tasks(tasks=web.list_tasks(), include=["TAGS"])["tasks"]
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {
        "team": "shop",
        "aws:ecs:clusterName": "default",
        "aws:ecs:serviceName": "web",
    }
    assert web.ecs.describe_services(services=["web"], include=["TAGS"])["services"][0]["tags"] == tags


def test_eventbridge_hears_of_services(aws: Aws, web: Services) -> None:
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    kinds = ["ECS Deployment State Change", "ECS Service Action"]
    events.put_rule(Name="ecs", EventPattern=json.dumps({"source": ["aws.ecs"], "detail-type": kinds}))
    arn = f"arn:aws:sqs:us-east-1:{aws.account}:events"
    events.put_targets(Rule="ecs", Targets=[{"Id": "queue", "Arn": arn}])
    made = web.create(desiredCount=1)
    found: list[dict[str, Any]] = []
    while len(found) < 3:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert {event["detail"]["eventName"] for event in found} == {
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
        "SERVICE_STEADY_STATE",
    }
    assert all(event["resources"] == [made["serviceArn"]] for event in found)
    (done,) = (event for event in found if event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED")
    deployment = made["deployments"][0]["id"]
    assert (done["detail"]["deploymentId"], done["detail"]["eventType"]) == (deployment, "INFO")


def test_it_is_created_once(web: Services) -> None:
    made = web.create(desiredCount=0, clientToken="token")
    assert web.create(desiredCount=0, clientToken="token")["serviceArn"] == made["serviceArn"]
    assert refused(web.create, desiredCount=0) == (
        "InvalidParameterException",
        "Creation of service was not idempotent.",
    )


NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
        ({"taskDefinition": "none"}, "ClientException", "TaskDefinition not found."),
        ({"taskDefinition": None}, "InvalidParameterException", "TaskDefinition can not be blank."),
        ({"launchType": "FARGATE"}, "InvalidParameterException",
         "Task definition does not support launch_type FARGATE."),
        ({"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
         "InvalidParameterException", "Specifying both a launch type and capacity provider strategy is not supported. "
         "Remove one and try again."),
        ({"loadBalancers": [{"containerName": "main", "containerPort": 80}]}, "InvalidParameterException",
         "Target group ARN can not be blank."),
        ({"serviceConnectConfiguration": {"enabled": True}}, "InvalidParameterException",
         "A namespace must be specified for Service Connect, as the cluster has no default namespace."),
        ({"deploymentConfiguration": {"strategy": "CANARY"}}, "InvalidParameterException",
         "The deployment strategy CANARY requires load balancers or services of Service Connect."),
        ({"deploymentConfiguration": {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.0}}},
         "InvalidParameterException", "stepPercent must be a multiple of 0.1 from 3.0 to 100.0."),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 200, "maximumPercent": 100}},
         "InvalidParameterException",
         "The specified minimumHealthyPercent and maximumPercent are not valid."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(web: Services, members: dict[str, Any], code: str, message: str) -> None:
    assert refused(web.create, **members) == (code, message)


def test_tasks_with_a_network_of_their_own_need_a_configuration(web: Services) -> None:
    web.register({}, family="web", mode="awsvpc")
    assert refused(web.create) == (
        "InvalidParameterException",
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    )


def test_services_are_listed_in_pages(web: Services) -> None:
    for number in range(3):
        web.create(serviceName=f"web{number}", desiredCount=0)
    pages = web.ecs.get_paginator("list_services").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["serviceArns"]) for page in pages] == [2, 1]
    assert code_of(web.ecs.describe_services, services=[]) == "InvalidParameterException"
    assert code_of(web.ecs.delete_service, service="none") == "ServiceNotFoundException"


class Fargate(Services):
    """A service on Fargate, in the default VPC."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.register(
            {}, family="web", mode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            executionRoleArn=f"arn:aws:iam::{aws.account}:role/execution",
        )  # fmt: skip
        subnets = aws.client("ec2").describe_subnets()["Subnets"]
        self.network = {"awsvpcConfiguration": {"subnets": [each["SubnetId"] for each in subnets]}}


def test_capacity_providers_share_tasks_by_a_strategy(aws: Aws) -> None:
    web = Fargate(aws)
    web.ecs.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    strategy = [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 1},
    ]
    made = web.create(desiredCount=3, capacityProviderStrategy=strategy, networkConfiguration=web.network)
    assert (made["capacityProviderStrategy"], "launchType" in made) == (strategy, False)
    found = web.settle()
    assert (found["platformVersion"], found["platformFamily"]) == ("LATEST", "Linux")
    assert found["deployments"][0]["platformVersion"] == "1.4.0"
    tasks = web.ecs.describe_tasks(tasks=web.list_tasks())["tasks"]
    assert sorted(task["capacityProviderName"] for task in tasks) == ["FARGATE", "FARGATE", "FARGATE_SPOT"]
    assert code_of(
        web.ecs.put_cluster_capacity_providers,
        cluster="default",
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[],
    ) == "ResourceInUseException"  # fmt: skip


def test_tasks_without_a_network_of_their_own_take_no_configuration(aws: Aws) -> None:
    web = Fargate(aws)
    web.register({}, family="web")
    assert refused(web.create, networkConfiguration=web.network) == (
        "InvalidParameterException",
        "Network Configuration is not valid for the given networkMode of this task definition.",
    )


def test_subnets_have_to_be_there(aws: Aws) -> None:
    web = Fargate(aws)
    code, message = refused(web.create, launchType="FARGATE", networkConfiguration=NETWORK)
    assert (code, message.startswith("Error retrieving subnet information for [subnet-1]: ")) == (
        "InvalidParameterException",
        True,
    )
