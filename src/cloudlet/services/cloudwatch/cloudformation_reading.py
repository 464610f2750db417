"""The way to read resources of Amazon CloudWatch."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import Listing, Read, Reading, read_tags


def _list_name(properties: Properties) -> list[object]:
    return [properties["AlarmName"]]


def _find_rule_name(properties: Properties) -> str:
    return str(properties["Arn"]).rpartition(":alarm-mute-rule:")[2]


def _make_alarm_reading(kind: str) -> Reading:
    """Return the reading of alarms of a kind, MetricAlarm or CompositeAlarm."""
    return Reading(
        Read(
            Call("DescribeAlarms", {"AlarmNames": _list_name, "AlarmTypes": lambda properties: [kind]}),
            {"Arn": "AlarmArn"},
            root=f"{kind}s.0",
        ),
        (read_tags("ListTagsForResource", "ResourceARN", "Arn"),),
        Listing(Call("DescribeAlarms", {"AlarmTypes": lambda properties: [kind]}), f"{kind}s"),
    )


READINGS: Final = {
    "AWS::CloudWatch::Alarm": _make_alarm_reading("MetricAlarm"),
    "AWS::CloudWatch::CompositeAlarm": _make_alarm_reading("CompositeAlarm"),
    "AWS::CloudWatch::AlarmMuteRule": Reading(
        Read(Call("GetAlarmMuteRule", {"AlarmMuteRuleName": _find_rule_name})),
        (read_tags("ListTagsForResource", "ResourceARN", "Arn"),),
        Listing(Call("ListAlarmMuteRules")),
    ),
}
