"""What alarms tell topics and functions. User guide, "Notifying users on alarm changes", "Invoke a Lambda function"."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.services.cloudwatch import regions
from cloudlet.services.cloudwatch.alarm import COMPOSITE, Alarm
from cloudlet.services.cloudwatch.outbox import Action
from cloudlet.services.cloudwatch.times import stamp

_LONGEST_SUBJECT = 100


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
        "OldStateValue": alarm.state if action.previous is None else action.previous[0],
        "OKActions": config.get("OKActions") or [],
        "AlarmActions": config.get("AlarmActions") or [],
        "InsufficientDataActions": config.get("InsufficientDataActions") or [],
    }
    if alarm.kind != COMPOSITE:
        return {**told, "Trigger": _trigger(config)}
    del told["AlarmConfigurationUpdatedTimestamp"]
    told["AlarmRule"] = config["AlarmRule"]
    triggering = json.loads(alarm.reason_data)["triggeringAlarms"] if alarm.reason_data else []
    told["TriggeringChildren"] = [
        {"Arn": one["arn"], "State": {"Value": one["state"]["value"], "Timestamp": one["state"]["timestamp"]}}
        for one in triggering
    ]
    return told


def _dimensions(given: list[dict[str, str]] | None) -> list[dict[str, str]]:
    return [{"value": one["Value"], "name": one["Name"]} for one in given or ()]


def _trigger(config: dict[str, Any]) -> dict[str, Any]:
    judged = {
        "EvaluationPeriods": config["EvaluationPeriods"],
        "DatapointsToAlarm": config.get("DatapointsToAlarm", config["EvaluationPeriods"]),
        "ComparisonOperator": config["ComparisonOperator"],
        "Threshold": float(config["Threshold"]),
        "TreatMissingData": config.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": config.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in config:
        return {**judged, "Metrics": [_query(query) for query in config["Metrics"]]}
    watched: dict[str, Any] = {"MetricName": config["MetricName"], "Namespace": config["Namespace"]}
    if "Statistic" in config:
        watched |= {"StatisticType": "Statistic", "Statistic": config["Statistic"].upper()}
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


def event(action: Action) -> dict[str, Any]:
    """Return what a function is told."""
    alarm = action.alarm
    data: dict[str, Any] = {
        "alarmName": alarm.name,
        "state": _state(alarm.state, alarm.reason, alarm.reason_data, alarm.transitioned),
        "configuration": _configuration(alarm),
    }
    if action.previous is not None:
        data["previousState"] = _state(*action.previous)
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": alarm.account,
        "time": stamp(action.time),
        "region": alarm.region,
        "alarmData": data,
    }


def _state(value: str, reason: str, reason_data: str | None, time: float) -> dict[str, Any]:
    described = {"value": value, "reason": reason, "timestamp": stamp(time)}
    return described if reason_data is None else {**described, "reasonData": reason_data}


def _configuration(alarm: Alarm) -> dict[str, Any]:
    config = alarm.config
    described: dict[str, Any] = {}
    if config.get("AlarmDescription") is not None:
        described["description"] = config["AlarmDescription"]
    if alarm.kind == COMPOSITE:
        described["alarmRule"] = config["AlarmRule"]
        for name in ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"):
            if name in config:
                described[name[0].lower() + name[1:]] = config[name]
        return described
    queries = config.get("Metrics") or [_as_query(config)]
    described["metrics"] = [_lowered(query) for query in queries]
    return described


def _as_query(config: dict[str, Any]) -> dict[str, Any]:
    metric = {name: config[name] for name in ("Namespace", "MetricName", "Dimensions") if name in config}
    stat: dict[str, Any] = {"Metric": metric, "Period": config["Period"]}
    stat["Stat"] = config.get("Statistic") or config["ExtendedStatistic"]
    if "Unit" in config:
        stat["Unit"] = config["Unit"]
    return {"Id": "m1", "MetricStat": stat, "ReturnData": True}


def _lowered(query: dict[str, Any]) -> dict[str, Any]:
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
