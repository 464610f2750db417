"""The resource types of AWS CloudTrail."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Items, Name, Part, Properties, ResourceType


def _list_logging(properties: Properties) -> list[str]:
    return ["logging"] if properties.get("IsLogging") else []


def _list_ingestion(properties: Properties) -> list[str]:
    return [] if properties.get("IngestionEnabled") is False else ["ingestion"]


def _list_keys(properties: Properties) -> list[dict[str, Any]]:
    return [{"Key": key} for key in properties["TagKeys"]]


_STORE: Final = {"EventDataStore": "EventDataStoreArn"}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::CloudTrail::Trail",
        "cloudtrail",
        create=Call("CreateTrail", {"Name": "TrailName", "TagsList": "Tags"}),
        read=Call("GetTrail", {"Name": "TrailName"}),
        updates=(Call("UpdateTrail", {"Name": "TrailName"}),),
        parts=(
            Part("EventSelectors", Call("PutEventSelectors", {"AdvancedEventSelectors": None})),
            Part("AdvancedEventSelectors", Call("PutEventSelectors", {"EventSelectors": None})),
            Items(
                _list_logging, Call("StartLogging", {"Name": "TrailName"}), Call("StopLogging", {"Name": "TrailName"})
            ),
        ),
        delete=Call("DeleteTrail", {"Name": "TrailName"}),
        named=Name("TrailName", 128),
        attributes={"Arn": "TrailARN"},
        tag=Call("AddTags", {"ResourceId": "Arn", "TagsList": "Tags"}),
        untag=Call("RemoveTags", {"ResourceId": "Arn", "TagsList": _list_keys}),
        unlisted=("IsLogging",),
    ),
    ResourceType(
        "AWS::CloudTrail::EventDataStore",
        "cloudtrail",
        create=Call("CreateEventDataStore", {"TagsList": "Tags", "StartIngestion": "IngestionEnabled"}),
        updates=(
            Call(
                "UpdateEventDataStore",
                _STORE,
                absent={"MultiRegionEnabled": True, "TerminationProtectionEnabled": True},
            ),
        ),
        parts=(
            Items(
                _list_ingestion,
                Call("StartEventDataStoreIngestion", _STORE),
                Call("StopEventDataStoreIngestion", _STORE),
                is_made=True,
            ),
        ),
        delete=Call("DeleteEventDataStore", _STORE),
        undeletable="is pending deletion",
        named=Name("Name", 128),
        tag=Call("AddTags", {"ResourceId": "EventDataStoreArn", "TagsList": "Tags"}),
        untag=Call("RemoveTags", {"ResourceId": "EventDataStoreArn", "TagsList": _list_keys}),
    ),
)
