"""Scalable targets, their tags and bounds, and the activities that bring a capacity within."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.application_autoscaling.cloud import READ, TABLE, TRACKING, WRITE, ScalingCloud
from tests.standing import Standing, eventually

_BOUNDS = {"MinCapacity": 1, "MaxCapacity": 10}


def test_a_target_is_shown_as_it_was_registered(cloud: ScalingCloud) -> None:
    arn = cloud.register(1, 10, Tags={"team": "blue"})
    shown = cloud.target
    assert arn.startswith(f"arn:aws:application-autoscaling:us-east-1:{cloud.account}:scalable-target/")
    assert {name: shown[name] for name in TABLE} == TABLE
    assert (shown["ScalableTargetARN"], shown["MinCapacity"], shown["MaxCapacity"]) == (arn, 1, 10)
    assert shown["RoleARN"] == (
        f"arn:aws:iam::{cloud.account}:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
    )
    assert not any(shown["SuspendedState"].values())
    role = cloud.aws.client("iam").get_role(RoleName=shown["RoleARN"].rpartition("/")[2])["Role"]
    assert role["Arn"] == shown["RoleARN"]
    assert cloud.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "blue"}


def test_an_update_changes_what_it_says(cloud: ScalingCloud) -> None:
    arn = cloud.register(1, 10)
    cloud.scaling.register_scalable_target(**TABLE, MaxCapacity=20, SuspendedState={"ScheduledScalingSuspended": True})
    cloud.scaling.register_scalable_target(**TABLE, SuspendedState={"DynamicScalingInSuspended": True})
    shown = cloud.target
    assert (shown["MinCapacity"], shown["MaxCapacity"], shown["ScalableTargetARN"]) == (1, 20, arn)
    assert shown["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": True,
    }


def test_a_capacity_is_brought_within_the_bounds(cloud: ScalingCloud) -> None:
    cloud.register(8, 10)
    activity = cloud.wait_for("Setting read capacity units to 8.")
    assert cloud.units == (8, 5)
    assert activity["Cause"] == "minimum capacity was set to 8"
    assert activity["StatusMessage"] == (
        "Successfully set read capacity units to 8. Change successfully fulfilled by dynamodb."
    )
    assert activity["EndTime"] >= activity["StartTime"]
    cloud.register(1, 3)
    assert cloud.wait_for("Setting read capacity units to 3.")["Cause"] == "maximum capacity was set to 3"
    cloud.register(7, 9, ScalableDimension=WRITE)
    cloud.wait_for("Setting write capacity units to 7.")
    assert cloud.units == (3, 7)


def test_activities_are_kept_for_six_weeks(still: ScalingCloud, standing: Standing) -> None:
    still.register(8, 10)
    still.wait_for("Setting read capacity units to 8.")
    standing.advance("41d")
    assert len(still.activities()) == 1
    standing.advance("2d")
    eventually(still.activities, lambda activities: not activities)


def test_a_change_that_the_service_refuses_fails(cloud: ScalingCloud) -> None:
    cloud.register(50_000, 60_000)
    failed = cloud.wait_for("Setting read capacity units to 50000.", "Failed")
    assert failed["StatusMessage"].startswith("Failed to set read capacity units to 50000. Reason: ")
    assert cloud.units == (5, 5)


def test_targets_are_tagged(cloud: ScalingCloud) -> None:
    arn = cloud.register()
    cloud.scaling.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    cloud.scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cloud.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    assert refused(cloud.register, Tags={"c": "3"}) == (
        "ValidationException",
        "The scalable target that you tried to tag already exists. To update tags on an existing scalable target, "
        "use the TagResource API.",
    )
    many = {str(number): "" for number in range(51)}
    assert code_of(cloud.scaling.tag_resource, ResourceARN=arn, Tags=many) == "TooManyTagsException"
    assert code_of(cloud.scaling.list_tags_for_resource, ResourceARN=arn[:-1]) == "ResourceNotFoundException"


def test_a_target_takes_all_with_it_that_it_has(cloud: ScalingCloud) -> None:
    arn = cloud.register()
    cloud.track()
    cloud.scaling.put_scheduled_action(
        **TABLE, ScheduledActionName="s", Schedule="rate(1 day)", ScalableTargetAction=_BOUNDS
    )
    cloud.scaling.deregister_scalable_target(**TABLE)
    assert cloud.scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []
    assert cloud.scaling.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"] == []
    assert cloud.scaling.describe_scheduled_actions(ServiceNamespace="dynamodb")["ScheduledActions"] == []
    assert code_of(cloud.scaling.list_tags_for_resource, ResourceARN=arn) == "ResourceNotFoundException"
    eventually(cloud.alarms, lambda alarms: not alarms)
    assert refused(cloud.scaling.deregister_scalable_target, **TABLE) == (
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: dynamodb, resource ID: table/tab, "
        f"scalable dimension: {READ}",
    )


def test_lists_come_in_pages_and_by_resource(cloud: ScalingCloud) -> None:
    cloud.register()
    cloud.register(ScalableDimension=WRITE)
    describe = cloud.scaling.describe_scalable_targets
    first = describe(ServiceNamespace="dynamodb", MaxResults=1)
    second = describe(ServiceNamespace="dynamodb", MaxResults=1, NextToken=first["NextToken"])
    found = [one["ScalableDimension"] for one in first["ScalableTargets"] + second["ScalableTargets"]]
    assert found == [READ, WRITE]
    one = describe(ServiceNamespace="dynamodb", ResourceIds=["table/tab"], ScalableDimension=WRITE)["ScalableTargets"]
    assert [each["ScalableDimension"] for each in one] == [WRITE]
    assert describe(ServiceNamespace="dynamodb", ResourceIds=["table/other"])["ScalableTargets"] == []
    assert code_of(describe, ServiceNamespace="dynamodb", MaxResults=51) == "ValidationException"
    assert code_of(describe, ServiceNamespace="dynamodb", NextToken="x") == "InvalidNextTokenException"
    assert code_of(describe, ServiceNamespace="dynamodb", ScalableDimension=READ) == "ValidationException"
    assert code_of(cloud.activities, ScalableDimension=READ) == "ValidationException"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MaxCapacity": 0}, "Maximum capacity cannot be less than minimum capacity"),
        ({"MinCapacity": 0}, "Minimum capacity cannot be less than 1"),
        ({"MinCapacity": None}, "MinCapacity and MaxCapacity are required"),
        ({"ResourceId": "table/other"}, "DynamoDB table does not exist: table/other"),
        ({"ResourceId": "tables"}, "Invalid resource ID"),
        ({"ScalableDimension": "ecs:service:DesiredCount"}, "Unsupported service namespace, resource type or scalable"),
        ({"RoleARN": "my-role"}, "Invalid RoleARN: my-role"),
        ({"ServiceNamespace": "rds"}, "Cloudlet does not implement scaling in the service namespace rds"),
    ],
)
def test_what_makes_no_sense_is_refused(cloud: ScalingCloud, given: dict[str, Any], message: str) -> None:
    params = {name: value for name, value in {**TABLE, **_BOUNDS, **given}.items() if value is not None}
    code, said = refused(cloud.scaling.register_scalable_target, **params)
    assert code == "ValidationException"
    assert said.startswith(message)


def test_there_is_no_policy_nor_action_without_a_target(cloud: ScalingCloud) -> None:
    assert code_of(cloud.track, TRACKING) == "ObjectNotFoundException"
    put = cloud.scaling.put_scheduled_action
    params = {"ScheduledActionName": "s", "Schedule": "rate(1 day)", "ScalableTargetAction": _BOUNDS}
    assert code_of(put, **TABLE, **params) == "ObjectNotFoundException"
