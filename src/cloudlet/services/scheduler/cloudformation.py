"""The resource types of Amazon EventBridge Scheduler."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Name, ResourceType

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::Scheduler::Schedule",
        "scheduler",
        create=Call("CreateSchedule"),
        read=Call("GetSchedule"),
        updates=(Call("UpdateSchedule"),),
        delete=Call("DeleteSchedule"),
        named=Name("Name", 64),
        attributes={"Arn": "ScheduleArn"},
        list=Call("ListSchedules"),
    ),
    ResourceType(
        "AWS::Scheduler::ScheduleGroup",
        "scheduler",
        create=Call("CreateScheduleGroup"),
        read=Call("GetScheduleGroup"),
        delete=Call("DeleteScheduleGroup"),
        named=Name("Name", 64),
        attributes={"Arn": "ScheduleGroupArn"},
        tag=Call("TagResource", {"ResourceArn": "Arn"}),
        is_deleted_later=True,
    ),
)
