"""The way to read resources of Amazon EventBridge Scheduler."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call
from cloudlet.core.aws.resources.reading_declaration import Listing, Reading, read_tags

READINGS: Final = {
    "AWS::Scheduler::ScheduleGroup": Reading(
        others=(read_tags("ListTagsForResource", "ResourceArn", "Arn"),), list=Listing(Call("ListScheduleGroups"))
    ),
}
