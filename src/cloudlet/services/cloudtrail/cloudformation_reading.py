"""The way to read resources of AWS CloudTrail."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading


def _read_tags(arn: str) -> Read:
    """Return the reading of the tags of what has an ARN, which is a property."""
    return Read(
        Call("ListTags", {"ResourceIdList": lambda properties: [properties[arn]]}),
        {"Tags": "ResourceTagList.0.TagsList"},
        is_exact=True,
    )


def _find_selectors(properties: Properties) -> Any:
    # Trails that were given none have one by default.
    return properties[ANSWER].get("EventSelectors")


def _find_live_store(properties: Properties) -> Any:
    answer = properties[ANSWER]
    return None if answer["Status"] == "PENDING_DELETION" else answer


def _find_ingestion(properties: Properties) -> bool:
    return bool(properties[ANSWER]["Status"] == "ENABLED")


READINGS: Final = {
    "AWS::CloudTrail::Trail": Reading(
        Read(Call("GetTrail", {"Name": "TrailName"}), {"TrailName": "Trail.Name", "Arn": "Trail.TrailARN"}),
        (
            Read(Call("GetTrailStatus", {"Name": "TrailName"}), {"IsLogging": "IsLogging"}, is_exact=True),
            Read(Call("GetEventSelectors"), {"EventSelectors": _find_selectors}),
            _read_tags("Arn"),
        ),
        Listing(Call("ListTrails"), properties={"TrailName": "Name"}),
    ),
    "AWS::CloudTrail::EventDataStore": Reading(
        Read(
            Call("GetEventDataStore", {"EventDataStore": "EventDataStoreArn"}),
            {"IngestionEnabled": _find_ingestion},
            root=_find_live_store,
        ),
        (_read_tags("EventDataStoreArn"),),
        Listing(Call("ListEventDataStores")),
    ),
}
