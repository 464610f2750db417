"""The provisioned concurrency of functions, scaled by bounds and schedules."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.own_metrics import total
from tests.refused import refused
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import invoke, python
from tests.standing import Standing, eventually

_FUNCTION = {
    "ServiceNamespace": "lambda",
    "ResourceId": "function:f:1",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}


def test_provisioned_concurrency_is_kept_within_bounds(aws: Aws) -> None:
    functions, scaling = FunctionCloud(aws), aws.client("application-autoscaling")
    functions.function()
    functions.client.publish_version(FunctionName="f")
    functions.wait()

    def wait_for(description: str) -> str:
        (newest, *_) = eventually(
            lambda: scaling.describe_scaling_activities(ServiceNamespace="lambda")["ScalingActivities"],
            lambda found: (
                bool(found) and (found[0]["Description"], found[0]["StatusCode"]) == (description, "Successful")
            ),
        )
        return str(newest["StatusMessage"])

    arn = scaling.register_scalable_target(**_FUNCTION, MinCapacity=1, MaxCapacity=2)["ScalableTargetARN"]
    assert ":scalable-target/" in arn
    assert wait_for("Setting provisioned concurrency to 1.") == (
        "Successfully set provisioned concurrency to 1. Change successfully fulfilled by lambda."
    )
    config = functions.client.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
    assert (config["RequestedProvisionedConcurrentExecutions"], config["Status"]) == (1, "READY")

    policy = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
    predefined = {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}
    tracking = {"TargetValue": 0.7, "PredefinedMetricSpecification": predefined}
    scaling.put_scaling_policy(**_FUNCTION, **policy, TargetTrackingScalingPolicyConfiguration=tracking)
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-function:f:1-")["MetricAlarms"]
    high, low = sorted(alarms, key=lambda alarm: str(alarm["AlarmName"]))
    assert (high["Threshold"], high["EvaluationPeriods"]) == (0.7, 3)
    assert (round(low["Threshold"], 6), low["EvaluationPeriods"]) == (0.63, 15)
    assert {one["Name"]: one["Value"] for one in high["Dimensions"]} == {"FunctionName": "f", "Resource": "f:1"}

    scaling.register_scalable_target(**_FUNCTION, MinCapacity=0, MaxCapacity=0)
    wait_for("Setting provisioned concurrency to 0.")
    assert functions.refused("get_provisioned_concurrency_config", FunctionName="f", Qualifier="1")[0] == (
        "ProvisionedConcurrencyConfigNotFoundException"
    )
    missing = {**_FUNCTION, "ResourceId": "function:f:9"}
    assert refused(scaling.register_scalable_target, **missing, MinCapacity=0, MaxCapacity=1) == (
        "ValidationException",
        "Lambda function does not exist: function:f:9",
    )


def test_it_follows_the_use_of_what_is_provisioned(standing: Standing) -> None:
    functions = FunctionCloud(standing.account())
    scaling = functions.aws.client("application-autoscaling")
    python(functions, "return 1", Publish=True)
    scaling.register_scalable_target(**_FUNCTION, MinCapacity=1, MaxCapacity=3)
    predefined = {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}
    once = {"ScaleOutCooldown": 3600, "ScaleInCooldown": 3600}
    config = {"TargetValue": 0.7, "PredefinedMetricSpecification": predefined, **once}
    scaling.put_scaling_policy(
        **_FUNCTION,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=config,
    )

    def look() -> tuple[int, str]:
        found = functions.client.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
        return found["RequestedProvisionedConcurrentExecutions"], found["Status"]

    eventually(look, lambda found: found == (1, "READY"))
    for _ in range(4):
        invoke(functions, Qualifier="1")
        standing.advance("1m")
    eventually(look, lambda found: found == (2, "READY"))
    used = {"FunctionName": "f", "Resource": "f:1"}
    assert total(functions.aws, "AWS/Lambda", "ProvisionedConcurrencyInvocations", **used) == 4
    scaling.register_scalable_target(**_FUNCTION, MinCapacity=4, MaxCapacity=4)
    eventually(look, lambda found: found == (4, "READY"))
    scaling.register_scalable_target(**_FUNCTION, MinCapacity=1, MaxCapacity=4)
    for _ in range(16):
        invoke(functions, Qualifier="1")
        standing.advance("1m")
    eventually(look, lambda found: found == (2, "READY"))
