"""The way to read resources of Application Auto Scaling."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import BASE, Read, Reading, read_tags


def _list_resource(properties: Properties) -> list[Any]:
    return [properties["ResourceId"]]


READINGS: Final = {
    "AWS::ApplicationAutoScaling::ScalableTarget": Reading(
        Read(Call("DescribeScalableTargets", {"ResourceIds": _list_resource}), root="ScalableTargets.0"),
        (
            Read(Call("DescribeScheduledActions"), {"ScheduledActions": "ScheduledActions"}, is_exact=True),
            read_tags("ListTagsForResource", "ResourceARN", f"{BASE}.ScalableTargets.0.ScalableTargetARN"),
        ),
    ),
}
