"""The resource types of Amazon EventBridge."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Items, Name, Part, Properties, Ready, ResourceType

_RULE: Final = {"Rule": "Name", "EventBusName": "EventBusName"}


def _make_reference(properties: Properties) -> str:
    """Return a rule's name, with its bus unless that is the default one."""
    bus = str(properties.get("EventBusName") or "default").rpartition("/")[2]
    name = str(properties["Name"])
    return name if bus == "default" else f"{bus}|{name}"


def _list_item(properties: Properties) -> list[object]:
    return [properties["Item"]]


def _list_item_id(properties: Properties) -> list[object]:
    return [properties["Item"]["Id"]]


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::Events::Rule",
        "events",
        create=Call("PutRule"),
        read=Call("DescribeRule"),
        updates=(Call("PutRule", {"Tags": None}),),
        parts=(
            Items(
                "Targets",
                Call("PutTargets", {**_RULE, "Targets": _list_item}),
                Call("RemoveTargets", {**_RULE, "Ids": _list_item_id}),
                key=lambda item: item["Id"],
                is_removed_first=True,
            ),
        ),
        delete=Call("DeleteRule"),
        named=Name("Name", 64),
        attributes={"Arn": "RuleArn", "RuleName": "{Name}"},
        ref=_make_reference,
        tag=Call("TagResource", {"ResourceARN": "Arn"}),
    ),
    ResourceType(
        "AWS::Events::EventBus",
        "events",
        create=Call("CreateEventBus"),
        read=Call("DescribeEventBus"),
        updates=(Call("UpdateEventBus"),),
        parts=(
            Part(
                "Policy",
                Call(
                    "PutPermission",
                    {"EventBusName": "Name", "Policy": "Policy", "Action": None, "Principal": None, "Condition": None},
                ),
                Call("RemovePermission", {"EventBusName": "Name", "RemoveAllPermissions": lambda properties: True}),
            ),
        ),
        delete=Call("DeleteEventBus"),
        attributes={"Arn": "arn:{partition}:events:{region}:{account}:event-bus/{Name}"},
        tag=Call("TagResource", {"ResourceARN": "Arn"}),
    ),
    ResourceType(
        "AWS::Events::EventBusPolicy",
        "events",
        create=Call("PutPermission", {"Policy": None}),
        updates=(Call("PutPermission", {"Policy": None}),),
        delete=Call("RemovePermission"),
        ref="StatementId",
    ),
    ResourceType(
        "AWS::Events::Archive",
        "events",
        create=Call("CreateArchive", {"EventSourceArn": "SourceArn"}),
        read=Call("DescribeArchive"),
        updates=(Call("UpdateArchive"),),
        delete=Call("DeleteArchive"),
        named=Name("ArchiveName", 48),
        attributes={"Arn": "ArchiveArn"},
    ),
    ResourceType(
        "AWS::Events::Connection",
        "events",
        create=Call("CreateConnection"),
        read=Call("DescribeConnection"),
        updates=(Call("UpdateConnection"),),
        delete=Call("DeleteConnection"),
        named=Name("Name", 64),
        attributes={"Arn": "ConnectionArn", "SecretArn": "SecretArn"},
        ready=(Ready("ConnectionState", ("AUTHORIZED",), ("DEAUTHORIZED", "FAILED_CONNECTIVITY"), "StateReason"),),
        is_deleted_later=True,
        list=Call("ListConnections"),
    ),
    ResourceType(
        "AWS::Events::ApiDestination",
        "events",
        create=Call("CreateApiDestination"),
        read=Call("DescribeApiDestination"),
        updates=(Call("UpdateApiDestination"),),
        delete=Call("DeleteApiDestination"),
        named=Name("Name", 64),
        attributes={"Arn": "ApiDestinationArn"},
        list=Call("ListApiDestinations"),
    ),
)
