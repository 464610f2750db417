"""Tasks as others hear of them: EventBridge and CloudWatch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import Tasks
from tests.standing import Standing, eventually


def listen(aws: Aws, kind: str) -> str:
    """Have events of a kind sent to a queue; return its URL."""
    sqs, events = aws.client("sqs"), aws.client("events")
    pattern = {"source": ["aws.ecs"], "detail-type": [f"ECS {kind} State Change"]}
    events.put_rule(Name="ecs", EventPattern=json.dumps(pattern))
    url = str(sqs.create_queue(QueueName="events")["QueueUrl"])
    events.put_targets(Rule="ecs", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:us-east-1:{aws.account}:events"}])
    return url


def receive(aws: Aws, url: str, is_last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return the events in a queue, by their versions, once the last one is there."""
    sqs = aws.client("sqs")
    found: list[dict[str, Any]] = []
    while not found or not is_last(found[-1]["detail"]):
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10)["Messages"]:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found.sort(key=lambda event: int(event["detail"]["version"]))
    return found


def test_eventbridge_hears_of_each_state(aws: Aws) -> None:
    tasks = Tasks(aws)
    url = listen(aws, "Task")
    arn = tasks.run({"command": ["false"]})
    found = receive(aws, url, lambda detail: detail["lastStatus"] == "STOPPED")
    states = list(dict.fromkeys(event["detail"]["lastStatus"] for event in found))
    assert states == [
        *("PENDING", "ACTIVATING", "RUNNING"),
        *("DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"),
    ]
    last = found[-1]
    assert last["resources"] == [arn]
    assert last["detail"]["containers"][0]["exitCode"] == 1
    assert (last["detail"]["stopCode"], last["detail"]["desiredStatus"]) == ("EssentialContainerExited", "STOPPED")
    assert last["detail"]["stoppedAt"].endswith("Z")
    assert len({event["detail"]["version"] for event in found}) == len(found)


def test_eventbridge_hears_of_container_instances(aws: Aws) -> None:
    tasks = Tasks(aws)
    (instance,) = tasks.ecs.list_container_instances()["containerInstanceArns"]
    url = listen(aws, "Container Instance")
    arn = tasks.run({"command": ["sleep", "100"], "cpu": 100, "stopTimeout": 1})
    busy = receive(aws, url, lambda detail: detail["remainingResources"] != detail["registeredResources"])[-1]["detail"]
    cpu, _ = (
        total["integerValue"] - left["integerValue"]
        for total, left in zip(busy["registeredResources"], busy["remainingResources"], strict=True)
    )
    assert (cpu, busy["containerInstanceArn"], busy["agentConnected"]) == (100, instance, True)
    tasks.ecs.stop_task(task=arn)
    receive(aws, url, lambda detail: detail["remainingResources"] == detail["registeredResources"])
    tasks.ecs.update_container_instances_state(containerInstances=[instance], status="DRAINING")
    (event,) = receive(aws, url, lambda detail: detail["status"] == "DRAINING")
    assert (event["source"], event["resources"]) == ("aws.ecs", [instance])
    (shown,) = tasks.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"]
    assert shown["version"] == event["detail"]["version"] > busy["version"]
    tasks.wait(arn, "STOPPED")
    tasks.ecs.delete_cluster(cluster="default")
    (event,) = receive(aws, url, lambda detail: detail["status"] == "INACTIVE")
    assert event["detail"]["agentConnected"] is False


def test_cloudwatch_has_what_tasks_take(standing: Standing) -> None:
    aws = standing.account()
    tasks = Tasks(aws)
    # It takes 16 of 64 MiB, and a processor.
    script = "x=$(head -c 16000000 /dev/zero | tr '\\0' a); while true; do true; done"
    arn = tasks.run({"command": ["sh", "-c", script], "memory": 64, "cpu": 512, "stopTimeout": 2})
    tasks.wait(arn, "RUNNING")
    watch = aws.client("cloudwatch")

    def look(name: str) -> float:
        standing.advance("1m")
        found = watch.get_metric_statistics(
            Namespace="AWS/ECS",
            MetricName=name,
            Dimensions=[{"Name": "ClusterName", "Value": "default"}],
            StartTime="2029-01-01T00:00:00Z",
            EndTime="2031-01-01T00:00:00Z",
            Period=86400,
            Statistics=["Maximum"],
        )
        return max((each["Maximum"] for each in found["Datapoints"]), default=0.0)

    eventually(lambda: look("MemoryUtilization"), lambda share: 20 < share <= 100)
    assert look("CPUUtilization") > 10
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")


def test_stopped_tasks_are_forgotten_after_an_hour(standing: Standing) -> None:
    tasks = Tasks(standing.account())
    tasks.aws.client("ecs").put_account_setting(name="taskLongArnFormat", value="enabled")
    arn = tasks.run({"command": ["true"]}, run={"tags": [{"key": "a", "value": "b"}]})
    tasks.wait(arn, "STOPPED")
    standing.advance("59m")
    assert tasks.describe(arn)["tags"] == [{"key": "a", "value": "b"}]
    standing.advance("3m")
    eventually(lambda: tasks.ecs.describe_tasks(tasks=[arn])["failures"], bool)


def test_container_insights(standing: Standing) -> None:
    aws = standing.account()
    tasks = Tasks(aws)
    tasks.ecs.update_cluster_settings(cluster="default", settings=[{"name": "containerInsights", "value": "enabled"}])
    asking = "while true; do wget -q -O /dev/null $ECS_CONTAINER_METADATA_URI_V4; done"
    arn = tasks.run({"command": ["sh", "-c", asking], "memory": 64, "cpu": 512, "stopTimeout": 2}, mode="bridge")
    tasks.wait(arn, "RUNNING")
    watch = aws.client("cloudwatch")

    def look(name: str, **dimensions: str) -> float:
        standing.advance("1m")
        found = watch.get_metric_statistics(
            Namespace="ECS/ContainerInsights",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime="2029-01-01T00:00:00Z",
            EndTime="2031-01-01T00:00:00Z",
            Period=86400,
            Statistics=["Maximum"],
        )
        return max((each["Maximum"] for each in found["Datapoints"]), default=0.0)

    eventually(lambda: look("TaskCount", ClusterName="default"), lambda count: count == 1)
    assert look("CpuReserved", ClusterName="default", TaskDefinitionFamily="job") == 512
    assert look("MemoryReserved", ClusterName="default") == 64
    assert look("NetworkRxBytes", ClusterName="default") > 1000
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")
