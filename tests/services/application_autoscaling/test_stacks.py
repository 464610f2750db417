"""Application Auto Scaling's resource types in stacks of CloudFormation."""

from __future__ import annotations

from typing import Any

from tests.services.application_autoscaling.cloud import READ, TABLE, ScalingCloud
from tests.services.cloudformation.deploying import Stacks

_STEP = {"MinCapacity": 2, "MaxCapacity": 30}


def _template(target: float = 50.0, *actions: str, **more: Any) -> dict[str, Any]:
    scheduled = [
        {"ScheduledActionName": name, "Schedule": "rate(1 day)", "ScalableTargetAction": _STEP} for name in actions
    ]
    properties = {**TABLE, "MinCapacity": 1, "MaxCapacity": 20, "ScheduledActions": scheduled, **more}
    metric = {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"}
    policy = {
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": {"Ref": "Target"},
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": target, "PredefinedMetricSpecification": metric},
    }
    return {
        "Resources": {
            "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": properties},
            "Policy": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": policy},
        },
        "Outputs": {"Target": {"Value": {"Ref": "Target"}}, "Policy": {"Value": {"Ref": "Policy"}}},
    }


def test_a_target_and_its_policy_are_made_changed_and_deleted(cloud: ScalingCloud) -> None:
    stacks = Stacks(cloud.aws)
    tags = [{"Key": "team", "Value": "blue"}]
    assert stacks.create("s", _template(50.0, "a", "b", Tags=tags))["StackStatus"] == "CREATE_COMPLETE"
    outputs = stacks.outputs("s")
    (policy,) = cloud.scaling.describe_scaling_policies(**TABLE)["ScalingPolicies"]
    assert outputs == {"Target": f"table/tab|{READ}|dynamodb", "Policy": policy["PolicyARN"]}
    assert (cloud.target["MinCapacity"], cloud.target["MaxCapacity"]) == (1, 20)
    arn = cloud.target["ScalableTargetARN"]
    assert cloud.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"]["team"] == "blue"

    changed = _template(70.0, "b", MaxCapacity=40, Tags=[{"Key": "team", "Value": "red"}])
    assert stacks.update("s", changed)["StackStatus"] == "UPDATE_COMPLETE"
    assert (cloud.target["MaxCapacity"], cloud.target["ScalableTargetARN"]) == (40, arn)
    actions = cloud.scaling.describe_scheduled_actions(**TABLE)["ScheduledActions"]
    assert [action["ScheduledActionName"] for action in actions] == ["b"]
    (policy,) = cloud.scaling.describe_scaling_policies(**TABLE)["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0
    assert cloud.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"]["team"] == "red"

    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []


def test_a_target_is_not_taken_over_and_resumes_what_a_template_suspends_no_longer(cloud: ScalingCloud) -> None:
    stacks = Stacks(cloud.aws)
    cloud.register(1, 7)
    assert stacks.create("s", _template())["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("already exists" in reason for _, _, reason in stacks.events("s"))
    assert cloud.target["MaxCapacity"] == 7
    cloud.scaling.deregister_scalable_target(**TABLE)
    suspended = {"DynamicScalingInSuspended": True}
    assert stacks.create("t", _template(SuspendedState=suspended))["StackStatus"] == "CREATE_COMPLETE"
    assert cloud.target["SuspendedState"]["DynamicScalingInSuspended"] is True
    assert stacks.update("t", _template())["StackStatus"] == "UPDATE_COMPLETE"
    assert cloud.target["SuspendedState"]["DynamicScalingInSuspended"] is False


def test_a_policy_is_not_taken_over(cloud: ScalingCloud) -> None:
    stacks = Stacks(cloud.aws)
    policy = {**_template(30.0)["Resources"]["Policy"]["Properties"], **TABLE}
    del policy["ScalingTargetId"]
    cloud.register(1, 7)
    cloud.scaling.put_scaling_policy(**policy)
    alone = {"Resources": {"Policy": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": policy}}}
    policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] = 60.0
    for checked in (True, False):
        stack = stacks.create(f"s{checked}", alone, DisableValidation=not checked)
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE", stacks.events(f"s{checked}")
    assert any("with identifier 'p' already exists" in reason for _, _, reason in stacks.events("sFalse"))
    (found,) = cloud.scaling.describe_scaling_policies(**TABLE)["ScalingPolicies"]
    assert found["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 30.0
