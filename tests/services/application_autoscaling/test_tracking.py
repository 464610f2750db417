"""Target tracking: the alarms that a policy makes, and the capacity that follows its metric."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.application_autoscaling.cloud import CUSTOMIZED, METRIC, TABLE, TRACKING, ScalingCloud
from tests.standing import Standing, eventually


def test_a_policy_of_a_table_has_the_alarms_of_aws(cloud: ScalingCloud) -> None:
    cloud.register()
    put = cloud.track()
    alarms = cloud.alarms()
    shown = cloud.scaling.describe_scaling_policies(**TABLE)["ScalingPolicies"][0]
    assert put["PolicyARN"].startswith(f"arn:aws:autoscaling:us-east-1:{cloud.account}:scalingPolicy:")
    assert put["PolicyARN"].endswith(":resource/dynamodb/table/tab:policyName/p")
    assert shown["PolicyARN"] == put["PolicyARN"]
    assert shown["TargetTrackingScalingPolicyConfiguration"] == TRACKING
    assert {each["AlarmARN"] for each in shown["Alarms"]} == {each["AlarmArn"] for each in alarms.values()}
    assert put["Alarms"] == shown["Alarms"]
    settings = {
        role: (
            alarm["MetricName"],
            alarm["Statistic"],
            alarm["Period"],
            alarm["EvaluationPeriods"],
            alarm["Threshold"],
            alarm["ComparisonOperator"],
        )
        for role, alarm in alarms.items()
    }
    assert settings == {
        "AlarmHigh": ("ConsumedReadCapacityUnits", "Sum", 60, 2, 150.0, "GreaterThanThreshold"),
        "AlarmLow": ("ConsumedReadCapacityUnits", "Sum", 60, 15, 90.0, "LessThanThreshold"),
        "ProvisionedCapacityHigh": ("ProvisionedReadCapacityUnits", "Average", 300, 3, 5.0, "GreaterThanThreshold"),
        "ProvisionedCapacityLow": ("ProvisionedReadCapacityUnits", "Average", 300, 3, 5.0, "LessThanThreshold"),
    }
    high = alarms["AlarmHigh"]
    assert high["Dimensions"] == [{"Name": "TableName", "Value": "tab"}]
    assert high["AlarmActions"] == [put["PolicyARN"]]
    assert high["AlarmDescription"] == f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {put['PolicyARN']}."


def test_the_thresholds_follow_the_capacity(cloud: ScalingCloud) -> None:
    cloud.register()
    cloud.track()
    cloud.register(10, 20)
    eventually(lambda: cloud.alarms()["AlarmHigh"]["Threshold"], lambda threshold: threshold == 300.0)
    assert cloud.alarms()["ProvisionedCapacityHigh"]["Threshold"] == 10.0


def test_a_metric_above_the_target_scales_out_and_below_it_in(still: ScalingCloud, standing: Standing) -> None:
    still.register()
    still.track(CUSTOMIZED)
    eventually(still.alarms)
    for _ in range(3):
        still.put_metric(30)
        standing.advance("1m")
    activity = still.wait_for("Setting read capacity units to 15.")
    assert activity["Cause"] == (
        f"monitor alarm {still.alarms()['AlarmHigh']['AlarmName']} in state ALARM triggered policy p"
    )
    assert still.units == (15, 5)
    # DynamoDB's capacities have no cooldown: while the alarm rings, each minute scales again.
    still.put_metric(20)
    standing.advance("1m")
    still.wait_for("Setting read capacity units to 30.")
    for _ in range(15):
        still.put_metric(4)
        standing.advance("1m")
    still.wait_for("Setting read capacity units to 12.")


def test_a_policys_name_may_look_like_an_arns_end(still: ScalingCloud, standing: Standing) -> None:
    still.register()
    still.track(CUSTOMIZED, "a:policyName/b")
    eventually(still.alarms)
    for _ in range(3):
        still.put_metric(30)
        standing.advance("1m")
    still.wait_for("Setting read capacity units to 15.")


def test_what_cannot_be_scaled_is_noted_once(still: ScalingCloud, standing: Standing) -> None:
    still.register(1, 5)
    still.track(CUSTOMIZED)
    for _ in range(8):
        still.put_metric(30)
        standing.advance("1m")
    noted = eventually(lambda: still.activities(IncludeNotScaledActivities=True))
    assert [one["NotScaledReasons"] for one in noted] == [[{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 5}]]
    assert still.activities() == []
    assert still.units == (5, 5)


def test_a_cooldown_counts_what_was_added_already(still: ScalingCloud, standing: Standing) -> None:
    still.register()
    still.track(CUSTOMIZED, ScaleOutCooldown=3600)
    still.put_metric(20)
    standing.advance("1m")
    still.ring("AlarmHigh")
    still.wait_for("Setting read capacity units to 10.")
    still.put_metric(20)
    standing.advance("1m")
    still.put_metric(30)
    standing.advance("1m")
    # 30 is three times the target, and the capacity was 5 when it began.
    still.wait_for("Setting read capacity units to 15.")
    still.put_metric(30)
    standing.advance("1m")
    still.put_metric(40)
    standing.advance("1m")
    still.wait_for("Setting read capacity units to 20.")
    assert len(still.activities()) == 3


def test_suspended_scaling_waits(still: ScalingCloud, standing: Standing) -> None:
    still.register(SuspendedState={"DynamicScalingOutSuspended": True})
    still.track(CUSTOMIZED)
    still.put_metric(20)
    standing.advance("1m")
    still.ring("AlarmHigh")
    still.cloudwatch.describe_alarm_history()
    eventually(
        lambda: still.cloudwatch.describe_alarm_history(HistoryItemType="Action")["AlarmHistoryItems"],
        lambda items: any("Successfully executed" in item["HistorySummary"] for item in items),
    )
    assert still.units == (5, 5)
    still.scaling.register_scalable_target(**TABLE, SuspendedState={"DynamicScalingOutSuspended": False})
    still.put_metric(20)
    standing.advance("1m")
    still.put_metric(20)
    standing.advance("1m")
    eventually(lambda: still.units[0], lambda units: units >= 10)


def test_several_policies_scale_in_together_only(still: ScalingCloud, standing: Standing) -> None:
    still.register()
    still.track(CUSTOMIZED)
    other = {"TargetValue": 10.0, "CustomizedMetricSpecification": {**METRIC, "MetricName": "other"}}
    still.track(other, name="q")
    for _ in range(17):
        still.put_metric(2)
        standing.advance("1m")
    low = eventually(
        lambda: [
            alarm["AlarmName"]
            for alarm in still.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
            if "AlarmLow" in alarm["AlarmName"]
        ]
    )
    name = low[0]
    eventually(
        lambda: still.cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
    )
    assert still.units == (5, 5)
    still.scaling.delete_scaling_policy(**TABLE, PolicyName="q")
    standing.advance("1m")
    still.wait_for("Setting read capacity units to 1.")


def test_metric_math_is_watched(cloud: ScalingCloud) -> None:
    cloud.register()
    queries = [
        {
            "Id": "m",
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Stat": "Sum"},
            "ReturnData": False,
        },
        {"Id": "e", "Expression": "m / 2", "ReturnData": True},
    ]
    cloud.track({"TargetValue": 3.0, "CustomizedMetricSpecification": {"Metrics": queries}})
    high = cloud.alarms()["AlarmHigh"]
    assert [query["Id"] for query in high["Metrics"]] == ["m", "e"]
    assert high["Metrics"][0]["MetricStat"]["Period"] == 60
    assert (high["Threshold"], high["EvaluationPeriods"]) == (3.0, 3)
    assert cloud.alarms()["AlarmLow"]["Threshold"] == pytest.approx(2.7)


def test_an_update_keeps_alarms_and_deletes_those_that_it_does_not_need(cloud: ScalingCloud) -> None:
    cloud.register()
    first = cloud.track(CUSTOMIZED)
    before = cloud.alarms()
    second = cloud.track({**CUSTOMIZED, "TargetValue": 20.0}, DisableScaleIn=True)
    assert first["PolicyARN"] == second["PolicyARN"]
    after = eventually(cloud.alarms, lambda alarms: set(alarms) == {"AlarmHigh"})
    assert after["AlarmHigh"]["AlarmName"] == before["AlarmHigh"]["AlarmName"]
    assert after["AlarmHigh"]["Threshold"] == 20.0
    cloud.scaling.delete_scaling_policy(**TABLE, PolicyName="p")
    eventually(cloud.alarms, lambda alarms: not alarms)
    assert code_of(cloud.scaling.delete_scaling_policy, **TABLE, PolicyName="p") == "ObjectNotFoundException"


def test_alarms_that_cloudwatch_refuses_leave_no_policy(cloud: ScalingCloud) -> None:
    cloud.register()
    queries = [{"Id": "e", "Expression": "nothing + 1"}]
    assert code_of(cloud.track, {"TargetValue": 1.0, "CustomizedMetricSpecification": {"Metrics": queries}}) != ""
    assert cloud.scaling.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"] == []


def test_an_alarm_on_no_policy_fails(cloud: ScalingCloud) -> None:
    cloud.register()
    arn = cloud.track(CUSTOMIZED)["PolicyARN"]
    for name, action in (("gone", arn + "x"), ("foreign", arn)):
        cloud.cloudwatch.put_metric_alarm(
            AlarmName=name,
            **METRIC,
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[action],
        )
        cloud.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
        found = eventually(
            lambda name=name: cloud.cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")[
                "AlarmHistoryItems"
            ]
        )
        assert found[0]["HistorySummary"].startswith("Failed to execute action")


@pytest.mark.parametrize(
    "config",
    [
        {"TargetValue": 50.0},
        {**TRACKING, "TargetValue": 95.0},
        {**TRACKING, **CUSTOMIZED},
        {**CUSTOMIZED, "TargetValue": 0.0},
        {**CUSTOMIZED, "ScaleInCooldown": -1},
        {"TargetValue": 1.0, "CustomizedMetricSpecification": {"MetricName": "m"}},
        {"TargetValue": 1.0, "CustomizedMetricSpecification": {**METRIC, "Metrics": [{"Id": "e", "Expression": "1"}]}},
        {**TRACKING, "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"}},
        {**TRACKING, "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"}},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(cloud: ScalingCloud, config: dict[str, Any]) -> None:
    cloud.register()
    assert code_of(cloud.track, config) == "ValidationException"


def test_a_metric_has_one_policy(cloud: ScalingCloud) -> None:
    cloud.register()
    cloud.track(CUSTOMIZED)
    assert refused(cloud.track, {**CUSTOMIZED, "TargetValue": 3.0}, name="q") == (
        "ValidationException",
        "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
    )


def test_other_types_of_policies_are_refused(cloud: ScalingCloud) -> None:
    cloud.register()
    put = cloud.scaling.put_scaling_policy
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    params = {**TABLE, "PolicyName": "p"}
    assert (
        code_of(put, **params, PolicyType="StepScaling", StepScalingPolicyConfiguration=step) == "ValidationException"
    )
    assert code_of(put, **params, PolicyType="PredictiveScaling") == "ValidationException"
    assert code_of(put, **params, PolicyType="TargetTrackingScaling") == "ValidationException"
