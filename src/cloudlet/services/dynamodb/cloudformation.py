"""The resource types of Amazon DynamoDB."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Items, Name, Part, Properties, Ready, ResourceType, Source


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


RESOURCE_TYPES: Final = (
    ResourceType(
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
            Items(
                "GlobalSecondaryIndexes",
                _update(
                    AttributeDefinitions="AttributeDefinitions",
                    GlobalSecondaryIndexUpdates=lambda properties: [{"Create": properties["Item"]}],
                ),
                _update(
                    GlobalSecondaryIndexUpdates=lambda properties: [
                        {"Delete": {"IndexName": properties["Item"]["IndexName"]}}
                    ]
                ),
                key=lambda item: item["IndexName"],
                is_made=True,
            ),
            Part(
                "TimeToLiveSpecification",
                Call("UpdateTimeToLive"),
                Call("UpdateTimeToLive", {"TimeToLiveSpecification": _make_absent_ttl}),
            ),
            Part(
                "PointInTimeRecoverySpecification",
                Call("UpdateContinuousBackups"),
                Call(
                    "UpdateContinuousBackups",
                    {"PointInTimeRecoverySpecification": lambda properties: {"PointInTimeRecoveryEnabled": False}},
                ),
            ),
            Part(
                "ContributorInsightsSpecification", Call("UpdateContributorInsights", {"IndexName": None, **_INSIGHTS})
            ),
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
    ),
)
