"""ECS services, whose desired count follows step scaling policies by alarms of one's own."""

from __future__ import annotations

from typing import Any

from tests.refused import refused
from tests.services.application_autoscaling.cloud import METRIC
from tests.standing import Standing, eventually

_SERVICE = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/c/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}


def test_steps_change_the_desired_count(standing: Standing) -> None:
    aws = standing.account()
    scaling, ecs, cloudwatch = (aws.client(name) for name in ("application-autoscaling", "ecs", "cloudwatch"))
    register: dict[str, Any] = {**_SERVICE, "MinCapacity": 0, "MaxCapacity": 4}
    missing = ("ValidationException", "ECS service doesn't exist: service/c/web")
    assert refused(scaling.register_scalable_target, **register) == missing
    ecs.create_cluster(clusterName="c")
    assert refused(scaling.register_scalable_target, **register) == missing
    container = {"name": "a", "image": "localhost:1/none", "memory": 16, "essential": True}
    ecs.register_task_definition(family="t", containerDefinitions=[container])
    ecs.create_service(cluster="c", serviceName="web", taskDefinition="t", desiredCount=0)
    scaling.register_scalable_target(**register)

    def put_policy(name: str, kind: str, step: dict[str, Any], comparison: str) -> str:
        config = {"AdjustmentType": kind, "StepAdjustments": [step], "Cooldown": 0}
        arn = scaling.put_scaling_policy(
            **_SERVICE, PolicyName=name, PolicyType="StepScaling", StepScalingPolicyConfiguration=config
        )["PolicyARN"]
        cloudwatch.put_metric_alarm(
            AlarmName=f"alarm-{name}",
            **METRIC,
            Period=60,
            EvaluationPeriods=1,
            Threshold=5,
            ComparisonOperator=comparison,
            AlarmActions=[arn],
        )
        return str(arn)

    def is_wanted(count: int) -> bool:
        found: int = ecs.describe_services(cluster="c", services=["web"])["services"][0]["desiredCount"]
        return found == count

    up = {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}
    arn = put_policy("out", "ChangeInCapacity", up, "GreaterThanThreshold")
    put_policy("in", "ExactCapacity", {"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": 0}, "LessThanThreshold")
    shown = scaling.describe_scaling_policies(**_SERVICE, PolicyNames=["out"])["ScalingPolicies"][0]
    assert [alarm["AlarmName"] for alarm in shown["Alarms"]] == ["alarm-out"]
    assert arn.endswith(":resource/ecs/service/c/web:policyName/out")

    cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 9.0}])
    standing.advance("1m")
    eventually(lambda: is_wanted(2))
    (activity,) = scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"]
    assert activity["Description"] == "Setting desired count to 2."
    assert activity["Cause"] == "monitor alarm alarm-out in state ALARM triggered policy out"

    scaling.delete_scaling_policy(**_SERVICE, PolicyName="out")
    alarm = eventually(
        lambda: cloudwatch.describe_alarms(AlarmNames=["alarm-out"])["MetricAlarms"][0],
        lambda alarm: alarm["AlarmActions"] == [],
    )
    assert (alarm["Threshold"], alarm["MetricName"], alarm["StateValue"]) == (5.0, "m", "ALARM")

    cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}])
    standing.advance("1m")
    eventually(lambda: is_wanted(0))
    newest = eventually(
        lambda: scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"],
        lambda found: found[0]["StatusCode"] == "Successful",
    )[0]
    assert newest["StatusMessage"] == ("Successfully set desired count to 0. Change successfully fulfilled by ecs.")


def test_the_desired_count_follows_requests_to_a_target_group(standing: Standing) -> None:
    aws = standing.account()
    scaling, ecs, cloudwatch = (aws.client(name) for name in ("application-autoscaling", "ecs", "cloudwatch"))
    ecs.create_cluster(clusterName="c")
    container = {"name": "a", "image": "localhost:1/none", "memory": 16, "essential": True}
    ecs.register_task_definition(family="t", containerDefinitions=[container])
    ecs.create_service(cluster="c", serviceName="web", taskDefinition="t", desiredCount=1)
    scaling.register_scalable_target(**_SERVICE, MinCapacity=1, MaxCapacity=4)

    def track(label: str) -> Any:
        metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
        config = {"TargetValue": 100.0, "PredefinedMetricSpecification": metric}
        kind = "TargetTrackingScaling"
        return scaling.put_scaling_policy(
            **_SERVICE, PolicyName="p", PolicyType=kind, TargetTrackingScalingPolicyConfiguration=config
        )

    for wrong in ("app/lb/1", "targetgroup/g/2", "net/lb/1/targetgroup/g/2"):
        assert refused(track, wrong)[0] == "ValidationException"
    names = [alarm["AlarmName"] for alarm in track("app/lb/1/targetgroup/g/2")["Alarms"]]
    alarms = eventually(
        lambda: cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"], lambda found: len(found) == 2
    )
    dimensions = [{"Name": "LoadBalancer", "Value": "app/lb/1"}, {"Name": "TargetGroup", "Value": "targetgroup/g/2"}]
    for alarm in alarms:
        assert sorted(alarm["Dimensions"], key=lambda one: one["Name"]) == dimensions
        watched = alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Period"]
        assert watched == ("AWS/ApplicationELB", "RequestCountPerTarget", "Sum", 60)
    assert sorted(alarm["Threshold"] for alarm in alarms) == [90.0, 100.0]
