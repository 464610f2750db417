"""The operations on schedules, groups and tags."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.refused import code_of
from tests.services.scheduler.cloud import OFF, SchedulerCloud
from tests.standing import eventually

_FAR = "at(2039-01-01T00:00:00)"
_FUTURE = datetime.datetime(2039, 1, 1, tzinfo=datetime.UTC)
_SEND = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"


def test_a_schedule_is_shown_as_it_was_created(cloud: SchedulerCloud) -> None:
    _, arn = cloud.queue()
    own = cloud.schedule(
        "rate(5 minutes)",
        cloud.target(arn, Input="hi", RetryPolicy={"MaximumRetryAttempts": 3}),
        name="full",
        StartDate=_FUTURE,
        EndDate=_FUTURE + datetime.timedelta(days=1),
        ScheduleExpressionTimezone="Europe/Berlin",
        Description="d",
        State="DISABLED",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 7},
        ActionAfterCompletion="DELETE",
    )
    assert own == f"arn:aws:scheduler:us-east-1:{cloud.account}:schedule/default/full"
    shown = cloud.scheduler.get_schedule(Name="full")
    assert (shown["Arn"], shown["GroupName"], shown["Name"]) == (own, "default", "full")
    assert shown["Target"] == {
        "Arn": arn,
        "RoleArn": cloud.role,
        "Input": "hi",
        "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 3},
    }
    assert shown["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 7}
    assert (shown["State"], shown["ActionAfterCompletion"], shown["Description"]) == ("DISABLED", "DELETE", "d")
    assert (shown["ScheduleExpression"], shown["ScheduleExpressionTimezone"]) == ("rate(5 minutes)", "Europe/Berlin")
    assert shown["StartDate"] == _FUTURE
    assert shown["CreationDate"] == shown["LastModificationDate"]


def test_an_update_replaces_all_that_it_does_not_say(cloud: SchedulerCloud) -> None:
    _, arn = cloud.queue()
    cloud.schedule(_FAR, cloud.target(arn, Input="hi"), Description="d", ActionAfterCompletion="DELETE")
    before = cloud.scheduler.get_schedule(Name="s")
    cloud.scheduler.update_schedule(
        Name="s", ScheduleExpression="cron(0 1 * * ? 2039)", Target=cloud.target(arn), FlexibleTimeWindow=OFF
    )
    shown = cloud.scheduler.get_schedule(Name="s")
    assert "Description" not in shown
    assert "Input" not in shown["Target"]
    assert (shown["ActionAfterCompletion"], shown["ScheduleExpressionTimezone"]) == ("NONE", "UTC")
    assert shown["CreationDate"] == before["CreationDate"] < shown["LastModificationDate"]
    cloud.scheduler.delete_schedule(Name="s")
    assert code_of(cloud.scheduler.get_schedule, Name="s") == "ResourceNotFoundException"
    assert code_of(cloud.scheduler.delete_schedule, Name="s") == "ResourceNotFoundException"
    update = {"ScheduleExpression": _FAR, "Target": cloud.target(arn), "FlexibleTimeWindow": OFF}
    assert code_of(cloud.scheduler.update_schedule, Name="s", **update) == "ResourceNotFoundException"


def test_a_request_that_is_sent_again_with_its_token_is_the_same_one(cloud: SchedulerCloud) -> None:
    _, arn = cloud.queue()
    first = cloud.schedule(_FAR, cloud.target(arn), ClientToken="t")
    assert cloud.schedule(_FAR, cloud.target(arn), ClientToken="t") == first
    assert cloud.refused(_FAR, cloud.target(arn))[0] == "ConflictException"
    group = cloud.scheduler.create_schedule_group(Name="g", ClientToken="t")
    assert (
        cloud.scheduler.create_schedule_group(Name="g", ClientToken="t")["ScheduleGroupArn"]
        == (group["ScheduleGroupArn"])
    )
    assert code_of(cloud.scheduler.create_schedule_group, Name="g") == "ConflictException"
    for _ in range(2):
        cloud.scheduler.delete_schedule(Name="s", ClientToken="d")
        cloud.scheduler.delete_schedule_group(Name="g", ClientToken="e")
    assert code_of(cloud.scheduler.delete_schedule, Name="s", ClientToken="e") == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("expression", "more", "message"),
    [
        ("nonsense", {}, "Invalid Schedule Expression nonsense."),
        ("at(2039-02-30T00:00:00)", {}, "Invalid Schedule Expression"),
        ("at(2039-01-01)", {}, "Invalid Schedule Expression"),
        ("rate(0 minutes)", {}, "Invalid Schedule Expression"),
        ("rate(5 minutess)", {}, "Invalid Schedule Expression"),
        ("cron(* * * * *)", {}, "Invalid Schedule Expression"),
        (_FAR, {"ScheduleExpressionTimezone": "Mars/Olympus"}, "Invalid ScheduleExpressionTimezone"),
        (_FAR, {"ScheduleExpressionTimezone": "../../etc/passwd"}, "Invalid ScheduleExpressionTimezone"),
        (_FAR, {"ScheduleExpressionTimezone": "Europe"}, "Invalid ScheduleExpressionTimezone"),
        (_FAR, {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        (_FAR, {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 1}}, "MaximumWindowInMinutes"),
        ("rate(1 day)", {"StartDate": datetime.datetime(2020, 1, 1)}, "earlier than 5 minutes ago"),
        ("rate(1 day)", {"EndDate": datetime.datetime(2020, 1, 1)}, "cannot be in the past"),
        ("rate(1 day)", {"StartDate": _FUTURE, "EndDate": datetime.datetime(2038, 1, 1)}, "must come after"),
    ],
)
def test_what_makes_no_sense_is_refused(
    cloud: SchedulerCloud, expression: str, more: dict[str, Any], message: str
) -> None:
    code, said = cloud.refused(expression, cloud.target("arn:aws:sqs:us-east-1:123456789012:q"), **more)
    assert code == "ValidationException"
    assert message in said


@pytest.mark.parametrize(
    ("arn", "more", "code"),
    [
        ("nonsense", {}, "ValidationException"),
        ("arn:aws:sqs:us-east-1:123456789012:q.fifo", {}, "ValidationException"),
        ("arn:aws:sns:us-east-1:123456789012:t", {"SqsParameters": {"MessageGroupId": "g"}}, "ValidationException"),
        ("arn:aws:events:us-east-1:123456789012:event-bus/default", {}, "ValidationException"),
        (_SEND, {"Input": "{"}, "ValidationException"),
        ("arn:aws:scheduler:::aws-sdk:sqs:receiveMessage", {}, "ValidationException"),
        ("arn:aws:scheduler:::aws-sdk:sqs:nonsense", {}, "ValidationException"),
        ("arn:aws:scheduler:::aws-sdk:nonsense:sendMessage", {}, "ValidationException"),
        ("arn:aws:scheduler:::aws-sdk:dynamodb:batchGetItem", {}, "ValidationException"),
        ("arn:aws:scheduler:::aws-sdk:cloudtrail:recordEvents", {}, "ValidationException"),
        (_SEND, {"RoleArn": "arn:aws:iam::999999999999:role/r"}, "AccessDeniedException"),
        ("arn:aws:kinesis:us-east-1:123456789012:stream/s", {}, "NotImplemented"),
        ("arn:aws:scheduler:::aws-sdk:emr:runJobFlow", {}, "NotImplemented"),
        ("arn:aws:sqs:us-east-1:123456789012:q", {"KinesisParameters": {"PartitionKey": "k"}}, "NotImplemented"),
    ],
)
def test_what_can_be_no_target_is_refused(cloud: SchedulerCloud, arn: str, more: dict[str, Any], code: str) -> None:
    assert cloud.refused(_FAR, cloud.target(arn, **more))[0] == code


def test_keys_for_encryption_are_refused(cloud: SchedulerCloud) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/k"
    target = cloud.target("arn:aws:sqs:us-east-1:123456789012:q")
    assert cloud.refused(_FAR, target, KmsKeyArn=key)[0] == "NotImplemented"


def test_schedules_are_listed_in_pages_by_group_prefix_and_state(cloud: SchedulerCloud) -> None:
    target = cloud.target("arn:aws:sqs:us-east-1:123456789012:q")
    cloud.scheduler.create_schedule_group(Name="g")
    for number in range(5):
        cloud.schedule(_FAR, target, name=f"a{number}", State="ENABLED" if number % 2 else "DISABLED")
    cloud.schedule(_FAR, target, name="a9", GroupName="g")
    cloud.schedule(_FAR, target, name="b0", GroupName="g")
    assert cloud.names() == ["a0", "a1", "a2", "a3", "a4", "a9", "b0"]
    assert cloud.names(GroupName="g") == ["a9", "b0"]
    assert cloud.names(NamePrefix="a", State="ENABLED") == ["a1", "a3", "a9"]
    pages = list(cloud.scheduler.get_paginator("list_schedules").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Schedules"]) for page in pages] == [3, 3, 1]
    assert pages[0]["Schedules"][0]["Target"] == {"Arn": target["Arn"]}
    assert code_of(cloud.scheduler.list_schedules, GroupName="other") == "ResourceNotFoundException"
    assert code_of(cloud.scheduler.list_schedules, NextToken="!") == "ValidationException"


def test_a_group_goes_with_all_that_it_has(cloud: SchedulerCloud) -> None:
    target = cloud.target("arn:aws:sqs:us-east-1:123456789012:q")
    cloud.scheduler.create_schedule_group(Name="g")
    for number in range(3):
        cloud.schedule(_FAR, target, name=f"s{number}", GroupName="g")
    cloud.schedule(_FAR, target, name="kept")
    cloud.scheduler.delete_schedule_group(Name="g")

    def groups() -> list[str]:
        return [each["Name"] for each in cloud.scheduler.list_schedule_groups()["ScheduleGroups"]]

    assert eventually(groups, lambda seen: seen == ["default"])
    assert cloud.names() == ["kept"]
    assert code_of(cloud.scheduler.get_schedule_group, Name="g") == "ResourceNotFoundException"
    assert code_of(cloud.scheduler.delete_schedule_group, Name="default") == "ValidationException"
    assert cloud.refused(_FAR, target, GroupName="g") == (
        "ResourceNotFoundException",
        "Schedule group g does not exist.",
    )
    assert cloud.scheduler.get_schedule_group(Name="default")["State"] == "ACTIVE"


def test_groups_have_tags(cloud: SchedulerCloud) -> None:
    arn = cloud.scheduler.create_schedule_group(Name="g", Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
    cloud.scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    cloud.scheduler.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert cloud.scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    reserved = [{"Key": "aws:a", "Value": "1"}]
    assert code_of(cloud.scheduler.tag_resource, ResourceArn=arn, Tags=reserved) == "ValidationException"
    assert code_of(cloud.scheduler.list_tags_for_resource, ResourceArn=arn + "2") == "ResourceNotFoundException"
