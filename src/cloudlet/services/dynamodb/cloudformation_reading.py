"""The way to read resources of Amazon DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Read, Reading, read_tags

_ON_DEMAND: Final = "PAY_PER_REQUEST"


def _is_on_demand(properties: Properties) -> bool:
    return bool(find_path(properties[ANSWER], "BillingModeSummary.BillingMode") == _ON_DEMAND)


def _find_billing_mode(properties: Properties) -> str:
    return _ON_DEMAND if _is_on_demand(properties) else "PROVISIONED"


def _find_throughput(properties: Properties) -> Any:
    return None if _is_on_demand(properties) else properties[ANSWER].get("ProvisionedThroughput")


def _find_indexes(properties: Properties) -> list[dict[str, Any]]:
    found = properties[ANSWER].get("GlobalSecondaryIndexes") or ()
    left_out = {"ProvisionedThroughput"} if _is_on_demand(properties) else set()
    return [{name: value for name, value in index.items() if name not in left_out} for index in found]


def _find_encryption(properties: Properties) -> dict[str, Any] | None:
    given = properties[ANSWER].get("SSEDescription")
    if given is None:
        return None
    return {
        "SSEEnabled": given.get("Status") in ("ENABLED", "UPDATING"),
        "SSEType": given.get("SSEType"),
        "KMSMasterKeyId": given.get("KMSMasterKeyArn"),
    }


def _find_ttl(properties: Properties) -> dict[str, Any] | None:
    given = find_path(properties[ANSWER], "TimeToLiveDescription") or {}
    if not given.get("AttributeName"):
        return None
    return {
        "AttributeName": given["AttributeName"],
        "Enabled": given.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"),
    }


def _find_recovery(properties: Properties) -> dict[str, Any] | None:
    given = find_path(properties[ANSWER], "ContinuousBackupsDescription.PointInTimeRecoveryDescription") or {}
    if given.get("PointInTimeRecoveryStatus") != "ENABLED":
        return None
    return {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": given.get("RecoveryPeriodInDays")}


def _find_insights(properties: Properties) -> dict[str, Any] | None:
    status = properties[ANSWER].get("ContributorInsightsStatus")
    return {"Enabled": True} if status in ("ENABLED", "ENABLING") else None


def _find_policy(properties: Properties) -> dict[str, Any] | None:
    policy = properties[ANSWER].get("Policy")
    return {"PolicyDocument": policy} if policy else None


_TABLE: Final = Read(
    Call("DescribeTable"),
    {
        "BillingMode": _find_billing_mode,
        "TableClass": "TableClassSummary.TableClass",
        "ProvisionedThroughput": _find_throughput,
        "GlobalSecondaryIndexes": _find_indexes,
        "SSESpecification": _find_encryption,
        "Arn": "TableArn",
    },
    root="Table",
)
_OF_ALL_REPLICAS: Final = ("Arn", "BillingMode", "GlobalSecondaryIndexes", "SSESpecification")
_TIME_TO_LIVE: Final = Read(Call("DescribeTimeToLive"), {"TimeToLiveSpecification": _find_ttl}, is_exact=True)

READINGS: Final = {
    "AWS::DynamoDB::Table": Reading(
        _TABLE,
        (
            _TIME_TO_LIVE,
            Read(
                Call("DescribeContinuousBackups"), {"PointInTimeRecoverySpecification": _find_recovery}, is_exact=True
            ),
            Read(
                Call("DescribeContributorInsights", {"IndexName": None}),
                {"ContributorInsightsSpecification": _find_insights},
                is_exact=True,
            ),
            Read(Call("GetResourcePolicy", {"ResourceArn": "Arn"}), {"ResourcePolicy": _find_policy}, is_exact=True),
            read_tags("ListTagsOfResource", "ResourceArn", "Arn"),
        ),
    ),
    "AWS::DynamoDB::GlobalTable": Reading(
        replace(_TABLE, properties={name: _TABLE.properties[name] for name in _OF_ALL_REPLICAS}),
        (_TIME_TO_LIVE,),
        unread=("Replicas",),
    ),
}
