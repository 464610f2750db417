"""What alarms tell functions and EventBridge.

User guide, "Invoke a Lambda function from an alarm" and "Alarm events and EventBridge".
"""

from __future__ import annotations

import json
from typing import Any, Literal

from cloudlet.core.aws.service_events import Entry
from cloudlet.services.cloudwatch.alarm import COMPOSITE, Alarm, AlarmState
from cloudlet.services.cloudwatch.outbox import Action
from cloudlet.services.cloudwatch.times import stamp

Operation = Literal["create", "update", "delete"]

_SUPPRESSION = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
_JUDGED_BY = (
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
)


def for_function(action: Action) -> dict[str, Any]:
    """Return what a function is told."""
    alarm = action.alarm
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": alarm.account,
        "time": stamp(action.time),
        "region": alarm.region,
        "alarmData": _change(alarm, action.previous, alarm.transitioned if action.previous is None else action.time),
    }


def state_change(alarm: Alarm, before: AlarmState, now: float) -> Entry:
    """Return the event of a change of an alarm's state."""
    return _entry(alarm, "CloudWatch Alarm State Change", _change(alarm, before, now), now)


def configuration_change(
    alarm: Alarm, operation: Operation, now: float, before: tuple[dict[str, Any], float] | None = None
) -> Entry:
    """Return the event of what was done to an alarm; `before` are its settings until then, and since when."""
    detail = {
        "alarmName": alarm.name,
        "operation": operation,
        "state": _state(alarm.situation, alarm.updated),
        "configuration": _settings(alarm, alarm.config, alarm.configured),
    }
    if before is not None:
        detail["previousConfiguration"] = _settings(alarm, *before)
    return _entry(alarm, "CloudWatch Alarm Configuration Change", detail, now)


def _entry(alarm: Alarm, kind: str, detail: dict[str, Any], now: float) -> Entry:
    return {
        "Source": "aws.cloudwatch",
        "DetailType": kind,
        "Resources": [alarm.arn],
        "Time": now,
        "Detail": json.dumps(detail),
    }


def _change(alarm: Alarm, before: AlarmState | None, time: float) -> dict[str, Any]:
    told: dict[str, Any] = {
        "alarmName": alarm.name,
        "state": _state(alarm.situation, time),
        "configuration": _configuration(alarm, alarm.config),
    }
    if before is not None:
        told["previousState"] = _state(before, before.since)
    return told


def _state(situation: AlarmState, time: float) -> dict[str, Any]:
    shown = {
        "value": situation.value,
        "reason": situation.reason,
        "reasonData": situation.reason_data,
        "timestamp": stamp(time),
        "actionsSuppressedBy": situation.suppressed_by,
        "actionsSuppressedReason": situation.suppressed_reason,
    }
    return {name: value for name, value in shown.items() if value}


def _configuration(alarm: Alarm, config: dict[str, Any]) -> dict[str, Any]:
    """Return what an alarm watches."""
    described: dict[str, Any] = {}
    if config.get("AlarmDescription") is not None:
        described["description"] = config["AlarmDescription"]
    if alarm.kind == COMPOSITE:
        return {**described, "alarmRule": config["AlarmRule"], **_lowered(config, _SUPPRESSION)}
    queries = config.get("Metrics") or [_as_query(config)]
    return {**described, "metrics": [_query(query) for query in queries]}


def _settings(alarm: Alarm, config: dict[str, Any], since: float) -> dict[str, Any]:
    """Return all settings of an alarm."""
    return {
        **_lowered(config, _JUDGED_BY),
        **_configuration(alarm, config),
        "alarmName": alarm.name,
        "actionsEnabled": config.get("ActionsEnabled", True),
        "timestamp": stamp(since),
        "okActions": config.get("OKActions") or [],
        "alarmActions": config.get("AlarmActions") or [],
        "insufficientDataActions": config.get("InsufficientDataActions") or [],
    }


def _lowered(config: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: config[name] for name in names if name in config}


def _as_query(config: dict[str, Any]) -> dict[str, Any]:
    metric = {name: config[name] for name in ("Namespace", "MetricName", "Dimensions") if name in config}
    stat: dict[str, Any] = {"Metric": metric, "Period": config["Period"]}
    stat["Stat"] = config.get("Statistic") or config["ExtendedStatistic"]
    if "Unit" in config:
        stat["Unit"] = config["Unit"]
    return {"Id": "m1", "MetricStat": stat, "ReturnData": True}


def _query(query: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    for name in ("Expression", "Label", "Period"):
        if name in query:
            told[name.lower()] = query[name]
    if "MetricStat" in query:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        described = {
            "namespace": metric["Namespace"],
            "name": metric["MetricName"],
            "dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()},
        }
        told["metricStat"] = {"metric": described, "period": stat["Period"], "stat": stat["Stat"]}
        if "Unit" in stat:
            told["metricStat"]["unit"] = stat["Unit"]
    return told
