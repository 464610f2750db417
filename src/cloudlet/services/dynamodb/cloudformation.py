"""The resource types of Amazon DynamoDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Items, Name, Part, Properties, Ready, ResourceType, Source
from cloudlet.core.aws.resources.inputs import UnsupportedProperty


def _make_stream(properties: Properties) -> dict[str, Any] | None:
    given = properties.get("StreamSpecification")
    return None if given is None else {"StreamEnabled": True, "StreamViewType": given["StreamViewType"]}


def _make_updated_stream(properties: Properties) -> dict[str, Any]:
    return _make_stream(properties) or {"StreamEnabled": False}


def _make_encryption(properties: Properties) -> dict[str, Any] | None:
    given = properties.get("SSESpecification")
    if given is None:
        return None
    return {"Enabled" if name == "SSEEnabled" else name: value for name, value in given.items()}


def _make_updated_encryption(properties: Properties) -> dict[str, Any]:
    return _make_encryption(properties) or {"Enabled": False}


def _make_policy(properties: Properties) -> Any:
    return (properties.get("ResourcePolicy") or {}).get("PolicyDocument")


def _make_absent_ttl(properties: Properties) -> dict[str, Any]:
    given = properties["TimeToLiveSpecification"]
    return {"AttributeName": given["AttributeName"], "Enabled": False}


_INSIGHTS: Final = {
    "ContributorInsightsAction": lambda properties: (
        "ENABLE" if properties["ContributorInsightsSpecification"].get("Enabled") else "DISABLE"
    )
}
_ALONE: Final = ("AttributeDefinitions", "GlobalSecondaryIndexUpdates", "SSESpecification", "StreamSpecification")
"""The members of UpdateTable that have calls of their own."""
_TOGETHER: Final = (
    "BillingMode",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
    "WarmThroughput",
)


def _update(**members: Source) -> Call:
    """Return the call that updates some members of a table, and no others."""
    return Call("UpdateTable", dict.fromkeys((*_ALONE, *_TOGETHER)) | members)


_NO_RECOVERY: Final = Call(
    "UpdateContinuousBackups",
    {"PointInTimeRecoverySpecification": lambda properties: {"PointInTimeRecoveryEnabled": False}},
)


_INDEXES: Final = Items(
    "GlobalSecondaryIndexes",
    _update(
        AttributeDefinitions="AttributeDefinitions",
        GlobalSecondaryIndexUpdates=lambda properties: [{"Create": properties["Item"]}],
    ),
    _update(
        GlobalSecondaryIndexUpdates=lambda properties: [{"Delete": {"IndexName": properties["Item"]["IndexName"]}}]
    ),
    key=lambda item: item["IndexName"],
    is_made=True,
)
_TIME_TO_LIVE: Final = Part(
    "TimeToLiveSpecification",
    Call("UpdateTimeToLive"),
    Call("UpdateTimeToLive", {"TimeToLiveSpecification": _make_absent_ttl}),
)
_TABLE: Final = ResourceType(
    "AWS::DynamoDB::Table",
    "dynamodb",
    create=Call(
        "CreateTable",
        {"StreamSpecification": _make_stream, "SSESpecification": _make_encryption, "ResourcePolicy": _make_policy},
    ),
    read=Call("DescribeTable"),
    updates=(
        Call("UpdateTable", dict.fromkeys(_ALONE)),
        _update(StreamSpecification=_make_updated_stream),
        _update(SSESpecification=_make_updated_encryption),
    ),
    parts=(
        _INDEXES,
        _TIME_TO_LIVE,
        Part(
            "PointInTimeRecoverySpecification",
            Call("UpdateContinuousBackups"),
            _NO_RECOVERY,
        ),
        Part("ContributorInsightsSpecification", Call("UpdateContributorInsights", {"IndexName": None, **_INSIGHTS})),
    ),
    delete=Call("DeleteTable"),
    named=Name("TableName", 255),
    attributes={
        "Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{TableName}",
        "StreamArn": "Table.LatestStreamArn",
    },
    tag=Call("TagResource", {"ResourceArn": "Arn"}),
    ready=(Ready("Table.TableStatus", ("ACTIVE",)),),
    is_deleted_later=True,
    unlisted=("AttributeDefinitions",),
    list=Call("ListTables"),
)

# Global tables: those with one replica, in the stack's region. They are tables.

_REPLICA: Final = {
    "DeletionProtectionEnabled",
    "PointInTimeRecoverySpecification",
    "Region",
    "ResourcePolicy",
    "SSESpecification",
    "TableClass",
    "Tags",
}


def _get_table(properties: Properties) -> dict[str, Any]:
    """Return the properties of the table that a global table with one replica is.

    Raises UnsupportedProperty.
    """
    (replica, *others) = properties["Replicas"]
    if others or replica["Region"] != properties["region"]:
        raise UnsupportedProperty("Replicas, but for one in the stack's region,")
    for name in sorted(replica.keys() - _REPLICA):
        raise UnsupportedProperty(f"Replicas.{name}")
    encryption = {**properties.get("SSESpecification", {}), **replica.get("SSESpecification", {})}
    return {**properties, **replica, "SSESpecification": encryption or None}


def _find_in_table(source: str | Callable[[Properties], Any]) -> Callable[[Properties], Any]:
    """Return a source by what a global table is as a table."""
    return lambda properties: source(_get_table(properties)) if callable(source) else _get_table(properties).get(source)


def _list_one(name: str) -> Callable[[Properties], list[Any]]:
    """Return a source of a property that one replica has, or of nothing."""

    def list_found(properties: Properties) -> list[Any]:
        found = _get_table(properties).get(name)
        return [] if found is None else [found]

    return list_found


_CLASS: Final = {name: _find_in_table(name) for name in ("TableClass", "DeletionProtectionEnabled")}

RESOURCE_TYPES: Final = (
    _TABLE,
    replace(
        _TABLE,
        name="AWS::DynamoDB::GlobalTable",
        create=Call(
            "CreateTable",
            {
                **_CLASS,
                "Tags": _find_in_table("Tags"),
                "StreamSpecification": _make_stream,
                "SSESpecification": _find_in_table(_make_encryption),
                "ResourcePolicy": _find_in_table(_make_policy),
            },
        ),
        updates=(
            Call("UpdateTable", {**dict.fromkeys(_ALONE), **_CLASS}),
            _update(StreamSpecification=_make_updated_stream),
            _update(SSESpecification=_find_in_table(_make_updated_encryption)),
        ),
        parts=(
            _INDEXES,
            _TIME_TO_LIVE,
            Items(
                _list_one("PointInTimeRecoverySpecification"),
                Call("UpdateContinuousBackups", {"PointInTimeRecoverySpecification": "Item"}),
                _NO_RECOVERY,
                key=lambda item: "recovery",
            ),
            Items(
                _list_one("ResourcePolicy"),
                Call("PutResourcePolicy", {"ResourceArn": "Arn", "Policy": "Item.PolicyDocument"}),
                Call("DeleteResourcePolicy", {"ResourceArn": "Arn"}),
                key=lambda item: "policy",
                is_made=True,
            ),
            Items(
                _find_in_table("Tags"),
                Call("TagResource", {"ResourceArn": "Arn", "Tags": lambda properties: [properties["Item"]]}),
                Call(
                    "UntagResource", {"ResourceArn": "Arn", "TagKeys": lambda properties: [properties["Item"]["Key"]]}
                ),
                key=lambda item: item["Key"],
                is_made=True,
            ),
        ),
        attributes={**_TABLE.attributes, "TableId": "Table.TableId"},
        tag=None,
        list=None,
    ),
)
