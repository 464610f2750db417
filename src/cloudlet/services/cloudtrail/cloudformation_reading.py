"""The way to read resources of AWS CloudTrail."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading


def _list_arn(properties: Properties) -> list[Any]:
    return [properties["Arn"]]


def _find_selectors(properties: Properties) -> Any:
    # Trails that were given none have one by default.
    return properties[ANSWER].get("EventSelectors")


READINGS: Final = {
    "AWS::CloudTrail::Trail": Reading(
        Read(Call("GetTrail", {"Name": "TrailName"}), {"TrailName": "Trail.Name", "Arn": "Trail.TrailARN"}),
        (
            Read(Call("GetTrailStatus", {"Name": "TrailName"}), {"IsLogging": "IsLogging"}, is_exact=True),
            Read(Call("GetEventSelectors"), {"EventSelectors": _find_selectors}),
            Read(
                Call("ListTags", {"ResourceIdList": _list_arn}), {"Tags": "ResourceTagList.0.TagsList"}, is_exact=True
            ),
        ),
        Listing(Call("ListTrails"), properties={"TrailName": "Name"}),
    ),
}
