"""What alarms tell topics. User guide, "Notifying users on alarm changes"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.cloudwatch import regions
from cloudlet.services.cloudwatch.alarm import COMPOSITE, Alarm
from cloudlet.services.cloudwatch.outbox import Action
from cloudlet.services.cloudwatch.times import stamp

_LONGEST_SUBJECT = 100
_STATISTICS = {
    "Average": "AVERAGE",
    "Maximum": "MAXIMUM",
    "Minimum": "MINIMUM",
    "SampleCount": "SAMPLE_COUNT",
    "Sum": "SUM",
}


class _State(msgspec.Struct):
    value: str
    timestamp: str


class _Child(msgspec.Struct):
    arn: str
    state: _State


class _ReasonData(msgspec.Struct):
    triggeringAlarms: list[_Child]


def subject(alarm: Alarm) -> str:
    """Return the subject of a message to a topic."""
    return f'{alarm.state}: "{alarm.name}" in {regions.name_of(alarm.region)}'[:_LONGEST_SUBJECT]


def message(action: Action) -> dict[str, Any]:
    """Return what a topic is told."""
    alarm, config = action.alarm, action.alarm.config
    told: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": config.get("AlarmDescription"),
        "AWSAccountId": alarm.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": stamp(alarm.transitioned),
        "Region": regions.name_of(alarm.region),
        "AlarmArn": alarm.arn,
        "OldStateValue": alarm.state if action.previous is None else action.previous.value,
        "OKActions": config.get("OKActions") or [],
        "AlarmActions": config.get("AlarmActions") or [],
        "InsufficientDataActions": config.get("InsufficientDataActions") or [],
    }
    if alarm.kind != COMPOSITE:
        return {**told, "Trigger": _trigger(config)}
    del told["AlarmConfigurationUpdatedTimestamp"]
    told["AlarmRule"] = config["AlarmRule"]
    told["TriggeringChildren"] = [
        {"Arn": one.arn, "State": {"Value": one.state.value, "Timestamp": one.state.timestamp}}
        for one in _triggering(alarm.reason_data)
    ]
    return told


def _triggering(reason_data: str | None) -> list[_Child]:
    """Return the alarms that made a composite alarm change; none where SetAlarmState gave it data of another form."""
    try:
        return msgspec.json.decode(reason_data or "", type=_ReasonData).triggeringAlarms
    except msgspec.DecodeError:
        return []


def _dimensions(given: list[dict[str, str]] | None) -> list[dict[str, str]]:
    return [{"value": one["Value"], "name": one["Name"]} for one in given or ()]


def _trigger(config: dict[str, Any]) -> dict[str, Any]:
    judged = {
        "EvaluationPeriods": config["EvaluationPeriods"],
        **({"DatapointsToAlarm": config["DatapointsToAlarm"]} if "DatapointsToAlarm" in config else {}),
        "ComparisonOperator": config["ComparisonOperator"],
        "Threshold": float(config["Threshold"]),
        "TreatMissingData": config.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": config.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in config:
        return {**judged, "Metrics": [_query(query) for query in config["Metrics"]]}
    watched: dict[str, Any] = {"MetricName": config["MetricName"], "Namespace": config["Namespace"]}
    if "Statistic" in config:
        watched |= {"StatisticType": "Statistic", "Statistic": _STATISTICS[config["Statistic"]]}
    else:
        watched |= {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": config["ExtendedStatistic"]}
    watched |= {"Unit": config.get("Unit"), "Dimensions": _dimensions(config.get("Dimensions"))}
    return {**watched, "Period": config["Period"], **judged}


def _query(query: dict[str, Any]) -> dict[str, Any]:
    told = {**query, "ReturnData": query.get("ReturnData", True)}
    if "MetricStat" in query:
        metric = {**query["MetricStat"]["Metric"]}
        metric["Dimensions"] = _dimensions(metric.get("Dimensions"))
        told["MetricStat"] = {**query["MetricStat"], "Metric": metric}
    return told
