"""The resource types of Amazon CloudWatch."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Name, Properties, ResourceType


def _list_name(properties: Properties) -> list[object]:
    return [properties["AlarmName"]]


def _list_composite(properties: Properties) -> list[str]:
    return ["CompositeAlarm"]


def _list_dashboard(properties: Properties) -> list[object]:
    return [properties["DashboardName"]]


_ALARM_ARN: Final = "arn:{partition}:cloudwatch:{region}:{account}:alarm:{AlarmName}"

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::CloudWatch::Alarm",
        "cloudwatch",
        create=Call("PutMetricAlarm"),
        exists=Call("DescribeAlarms", {"AlarmNames": _list_name}),
        updates=(Call("PutMetricAlarm", {"Tags": None}),),
        delete=Call("DeleteAlarms", {"AlarmNames": _list_name}),
        named=Name("AlarmName", 255),
        attributes={"Arn": _ALARM_ARN},
        tag=Call("TagResource", {"ResourceARN": "Arn"}),
    ),
    ResourceType(
        "AWS::CloudWatch::CompositeAlarm",
        "cloudwatch",
        create=Call("PutCompositeAlarm"),
        exists=Call("DescribeAlarms", {"AlarmNames": _list_name, "AlarmTypes": _list_composite}),
        updates=(Call("PutCompositeAlarm", {"Tags": None}),),
        delete=Call("DeleteAlarms", {"AlarmNames": _list_name}),
        named=Name("AlarmName", 255),
        attributes={"Arn": _ALARM_ARN},
        tag=Call("TagResource", {"ResourceARN": "Arn"}),
    ),
    ResourceType(
        "AWS::CloudWatch::AlarmMuteRule",
        "cloudwatch",
        create=Call("PutAlarmMuteRule"),
        read=Call("GetAlarmMuteRule", {"AlarmMuteRuleName": "Name"}),
        updates=(Call("PutAlarmMuteRule", {"Tags": None}),),
        delete=Call("DeleteAlarmMuteRule", {"AlarmMuteRuleName": "Name"}),
        named=Name("Name", 255),
        attributes={
            "Arn": "AlarmMuteRuleArn",
            **{name: name for name in ("LastUpdatedTimestamp", "MuteType", "Status")},
        },
        tag=Call("TagResource", {"ResourceARN": "Arn"}),
    ),
    ResourceType(
        "AWS::CloudWatch::Dashboard",
        "cloudwatch",
        create=Call("PutDashboard"),
        read=Call("GetDashboard"),
        updates=(Call("PutDashboard"),),
        delete=Call("DeleteDashboards", {"DashboardNames": _list_dashboard}),
        named=Name("DashboardName", 255),
        list=Call("ListDashboards"),
    ),
)
