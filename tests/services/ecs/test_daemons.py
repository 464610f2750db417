"""Daemons: one task on each instance of a capacity provider, deployed by replacing instances."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecs.managing import Managed
from tests.standing import eventually

STRATEGY = [{"capacityProvider": "machine", "weight": 1}]


@pytest.fixture
def managed(aws: Aws) -> Managed:
    return Managed(aws)


def test_a_daemon_task_definition_is_registered_listed_and_deleted(managed: Managed) -> None:
    ecs = managed.ecs
    first, second = managed.define(tags=[{"key": "team", "value": "infra"}]), managed.define(family="other")
    assert first.endswith(":daemon-task-definition/agent:1")
    described = ecs.describe_daemon_task_definition(daemonTaskDefinition="agent")["daemonTaskDefinition"]
    assert (described["daemonTaskDefinitionArn"], described["status"], described["revision"]) == (first, "ACTIVE", 1)
    (container,) = described["containerDefinitions"]
    assert (container["essential"], "portMappings" in container) == (True, False)
    assert ecs.list_tags_for_resource(resourceArn=first)["tags"] == [{"key": "team", "value": "infra"}]
    third = managed.define()

    def list_all(**filters: Any) -> list[str]:
        return [each["arn"] for each in ecs.list_daemon_task_definitions(**filters)["daemonTaskDefinitions"]]

    assert list_all() == [first, third, second]
    assert list_all(sort="DESC", familyPrefix="ag") == [third, first]
    assert list_all(revision="LAST_REGISTERED") == [third, second]
    assert list_all(family="other") == [second]
    page = ecs.list_daemon_task_definitions(maxResults=2)
    assert list_all(nextToken=page["nextToken"]) == [second]
    # Those of tasks are others.
    assert ecs.list_task_definition_families()["families"] == ["web"]
    deleted = ecs.delete_daemon_task_definition(daemonTaskDefinition="agent:1")
    assert deleted["daemonTaskDefinitionArn"] == first
    eventually(lambda: list_all(status="ALL"), lambda found: first not in found)
    for wrong in ("agent", "agent:9", "none:1"):
        assert code_of(ecs.delete_daemon_task_definition, daemonTaskDefinition=wrong) == "ClientException"
    for member in ({"pidMode": "shared"}, {"ipcMode": "shared"}):
        assert "Cloudlet does not have" in refused(
            ecs.register_daemon_task_definition, family="a", containerDefinitions=[container], **member
        )[1]  # fmt: skip
    volume = {"name": "logs", "logDriverVolumeConfiguration": {"driver": "json-file"}}
    assert "logDriverVolumeConfiguration" in refused(
        ecs.register_daemon_task_definition, family="a", containerDefinitions=[container], volumes=[volume]
    )[1]  # fmt: skip


def test_a_daemon_starts_before_other_tasks_and_its_update_moves_them(managed: Managed) -> None:
    ecs = managed.ecs
    definition = managed.define()
    made = managed.create_daemon(definition, tags=[{"key": "team", "value": "infra"}], propagateTags="DAEMON")
    assert made["status"] == "ACTIVE"
    managed.create(desiredCount=1, capacityProviderStrategy=STRATEGY)
    found = managed.until_status(made["deploymentArn"], "SUCCESSFUL")
    assert (found["targetDaemonRevision"]["totalRunningInstanceCount"], found["circuitBreaker"]["status"]) == (
        1,
        "MONITORING_COMPLETE",
    )
    managed.settle()
    (agent,) = managed.list_daemon_tasks()
    assert (agent["launchType"], agent["group"], agent["capacityProviderName"]) == (
        "MANAGED_INSTANCES",
        "daemon:agent",
        "machine",
    )
    assert agent["taskDefinitionArn"] == definition
    assert agent["tags"] == [{"key": "team", "value": "infra"}]
    (served,) = managed.list_tasks()
    assert managed.describe(served)["containerInstanceArn"] == agent["containerInstanceArn"]
    # Another revision comes with another instance, to which the service's task is moved.
    second = managed.define("sleep", "2000")
    changed = managed.update_daemon(made["daemonArn"], second, propagateTags="DAEMON")
    done = managed.until_status(changed["deploymentArn"], "SUCCESSFUL")
    assert [each["totalRunningInstanceCount"] for each in done["sourceDaemonRevisions"]] == [0]
    (instance,) = managed.list_instances()
    assert instance["containerInstanceArn"] != agent["containerInstanceArn"]
    (moved,) = managed.list_tasks()
    assert managed.describe(moved)["containerInstanceArn"] == instance["containerInstanceArn"]
    (newer,) = managed.list_daemon_tasks()
    assert newer["taskDefinitionArn"] == second
    described = ecs.describe_daemon(daemonArn=made["daemonArn"])["daemon"]
    (revision,) = described["currentRevisions"]
    assert revision["capacityProviders"] == [{"arn": managed.provider, "runningCount": 1, "withoutDaemonCount": 0}]
    (shown,) = ecs.describe_daemon_revisions(daemonRevisionArns=[revision["arn"]])["daemonRevisions"]
    assert (shown["daemonTaskDefinitionArn"], shown["propagateTags"], shown["critical"]) == (second, "DAEMON", True)
    listed = ecs.list_daemon_deployments(daemonArn=made["daemonArn"])["daemonDeployments"]
    assert [each["daemonDeploymentArn"] for each in listed] == [changed["deploymentArn"], made["deploymentArn"]]
    # A critical daemon that stops takes its instance along.
    ecs.stop_task(task=newer["taskArn"])
    managed.until_instances(
        lambda each: len(each) == 1 and each[0]["containerInstanceArn"] != instance["containerInstanceArn"]
    )
    managed.settle()
    # It goes with its instance, too.
    assert code_of(ecs.delete_capacity_provider, capacityProvider="machine") == "ClientException"
    assert ecs.delete_daemon(daemonArn=made["daemonArn"])["status"] == "DELETE_IN_PROGRESS"
    assert code_of(managed.update_daemon, made["daemonArn"], second) == "DaemonNotActiveException"
    eventually(lambda: ecs.list_daemons()["daemonSummariesList"], lambda each: not each)
    assert managed.list_daemon_tasks() == []
    assert code_of(ecs.describe_daemon, daemonArn=made["daemonArn"]) == "DaemonNotFoundException"


def test_a_deployment_that_fails_is_rolled_back(managed: Managed) -> None:
    made = managed.create_daemon(managed.define())
    managed.until_status(made["deploymentArn"], "SUCCESSFUL")
    (instance,) = managed.list_instances()
    changed = managed.update_daemon(made["daemonArn"], managed.define("false"))
    found = managed.until_status(changed["deploymentArn"], "ROLLBACK_SUCCESSFUL")
    assert (found["circuitBreaker"]["status"], found["circuitBreaker"]["failureCount"]) == ("TRIGGERED", 3)
    assert found["rollback"]["rollbackCapacityProviders"] == [managed.provider]
    # What ran before was not touched.
    managed.until_instances(lambda each: len(each) == 1)
    assert managed.list_instances()[0]["containerInstanceArn"] == instance["containerInstanceArn"]


def test_a_first_deployment_that_fails_leaves_no_instance_with_it(managed: Managed) -> None:
    made = managed.create_daemon(managed.define("false"))
    found = managed.until_status(made["deploymentArn"], "STOPPED")
    assert "circuit breaker" in found["statusReason"]
    managed.until_instances(lambda each: len(each) == 1 and each[0]["status"] == "ACTIVE")
    managed.wait(managed.run({}, run={"capacityProviderStrategy": STRATEGY}), "RUNNING")
    assert managed.ecs.describe_daemon(daemonArn=made["daemonArn"])["daemon"]["currentRevisions"] == []


def test_one_that_is_not_critical_holds_nobody_up(managed: Managed) -> None:
    made = managed.create_daemon(managed.define("sh", "-c", "sleep 1; false", is_checked=False), critical=False)
    managed.wait(managed.run({}, run={"capacityProviderStrategy": STRATEGY}), "RUNNING")
    assert managed.until_status(made["deploymentArn"], "STOPPED")["circuitBreaker"]["status"] == "TRIGGERED"


def test_alarms_roll_a_deployment_back(managed: Managed) -> None:
    cloudwatch = managed.aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", Namespace="shop", MetricName="errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    made = managed.create_daemon(managed.define(is_checked=False))
    managed.until_status(made["deploymentArn"], "SUCCESSFUL")
    configuration = {"alarms": {"enable": True, "alarmNames": ["errors"]}, "bakeTimeInMinutes": 5, "drainPercent": 100}
    changed = managed.update_daemon(made["daemonArn"], managed.define(), deploymentConfiguration=configuration)
    managed.until_status(changed["deploymentArn"], "IN_PROGRESS")
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    found = managed.until_status(changed["deploymentArn"], "ROLLBACK_SUCCESSFUL")
    assert (found["alarms"]["status"], found["alarms"]["triggeredAlarmNames"]) == ("TRIGGERED", ["errors"])


def test_mistakes_are_told(managed: Managed) -> None:
    ecs, definition = managed.ecs, managed.define()
    arn = managed.provider.replace("machine", "none")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"daemonName": "a b"}, "InvalidParameterException"),
        ({"clusterArn": "none"}, "ClusterNotFoundException"),
        ({"capacityProviderArns": []}, "InvalidParameterException"),
        ({"capacityProviderArns": [arn]}, "InvalidParameterException"),
        ({"capacityProviderArns": [managed.provider.replace("machine", "FARGATE")]}, "InvalidParameterException"),
        ({"deploymentConfiguration": {"bakeTimeInMinutes": 2000}}, "InvalidParameterException"),
        ({"deploymentConfiguration": {"alarms": {"enable": True}}}, "InvalidParameterException"),
        ({"clientToken": "x" * 37}, "InvalidParameterException"),
    ]
    for members, code in cases:
        given = {"daemonName": "agent", "capacityProviderArns": [managed.provider], **members}
        assert code_of(ecs.create_daemon, daemonTaskDefinitionArn=definition, **given) == code, members
    assert code_of(managed.create_daemon, definition.replace(":1", ":7")) == "ClientException"
    made = managed.create_daemon(definition, clientToken="once")
    assert managed.create_daemon(definition, clientToken="once")["deploymentArn"] == made["deploymentArn"]
    assert code_of(managed.create_daemon, definition) == "InvalidParameterException"
    listed = ecs.list_daemons(capacityProviderArns=[managed.provider])["daemonSummariesList"]
    assert [each["daemonArn"] for each in listed] == [made["daemonArn"]]
    assert ecs.list_daemons(capacityProviderArns=[arn])["daemonSummariesList"] == []
    missing = made["daemonArn"].replace("agent", "none")
    for call in (ecs.describe_daemon, ecs.delete_daemon, ecs.list_daemon_deployments):
        assert code_of(call, daemonArn=missing) == "DaemonNotFoundException"
    gone = made["deploymentArn"].replace("agent", "none")
    assert ecs.describe_daemon_deployments(daemonDeploymentArns=[gone])["failures"][0]["reason"] == "MISSING"
    assert code_of(ecs.describe_daemon_deployments, daemonDeploymentArns=["x"]) == "InvalidParameterException"
    assert code_of(ecs.describe_daemon_revisions, daemonRevisionArns=[]) == "InvalidParameterException"
