"""Target tracking: a policy's alarms, and the capacity that its metric asks for.

User guide, "How target tracking scaling for Application Auto Scaling works"; DynamoDB Developer Guide, "Managing
throughput capacity automatically with DynamoDB auto scaling".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil
from typing import Any, Final, NamedTuple

from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.application_autoscaling import errors
from cloudlet.services.application_autoscaling.dimensions import get_names
from cloudlet.services.application_autoscaling.place import Place
from cloudlet.services.application_autoscaling.records import Policy

HIGH: Final = "AlarmHigh"
LOW: Final = "AlarmLow"
_PROVISIONED: Final = ("ProvisionedCapacityHigh", "ProvisionedCapacityLow")
"""DynamoDB's alarms on changes of the capacity, which others' thresholds follow."""

_PERIOD_SECONDS: Final = 60
_PROVISIONED_PERIOD_SECONDS: Final = 300
_LOW_PERIODS: Final = 15
_LOW_SHARE: Final = 0.9
"""The part of the target value below which a capacity is too large."""
_TABLE_PERIODS: Final = 2
_TABLE_MARGIN_PERCENT: Final = 20
"""For DynamoDB: so far below the target utilization."""
_TARGET_VALUES: Final = 2.0**360
"""The largest target value (API Reference)."""
_MIN_TABLE_PERCENT, _MAX_TABLE_PERCENT = 20, 90
_LABEL: Final = re.compile(r"(app/[^/]+/[^/]+)/(targetgroup/[^/]+/[^/]+)")
"""The name of a target group, behind its load balancer (API Reference, PredefinedMetricSpecification)."""
_EPSILON: Final = 1e-9
"""The error of divisions that would else add a unit of capacity."""


class _PredefinedMetric(NamedTuple):
    """A predefined metric."""

    dimension: str
    """The end of the scalable dimensions that have it."""
    metric: str


_REQUESTS: Final = "ALBRequestCountPerTarget"
_PREDEFINED: Final = {
    _REQUESTS: _PredefinedMetric("ecs:service:DesiredCount", "RequestCountPerTarget"),
    "ECSServiceAverageCPUUtilization": _PredefinedMetric("ecs:service:DesiredCount", "CPUUtilization"),
    "ECSServiceAverageMemoryUtilization": _PredefinedMetric("ecs:service:DesiredCount", "MemoryUtilization"),
    "DynamoDBReadCapacityUtilization": _PredefinedMetric(":ReadCapacityUnits", "ReadCapacityUnits"),
    "DynamoDBWriteCapacityUtilization": _PredefinedMetric(":WriteCapacityUnits", "WriteCapacityUnits"),
    "LambdaProvisionedConcurrencyUtilization": _PredefinedMetric(
        "lambda:function:ProvisionedConcurrency", "ProvisionedConcurrencyUtilization"
    ),
}


def check(place: Place, config: Mapping[str, Any]) -> None:
    """Raise ValidationException for a configuration that makes no sense."""
    predefined, customized = config.get("PredefinedMetricSpecification"), config.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise errors.make_validation("You must specify either a predefined metric or a customized metric.")
    if any(config.get(name, 0) < 0 for name in ("ScaleInCooldown", "ScaleOutCooldown")):
        raise errors.make_validation("Cooldowns must not be negative.")
    target = config["TargetValue"]
    if not 0 < target <= _TARGET_VALUES:
        raise errors.make_validation("TargetValue must be a positive number of at most 2^360.")
    if customized is not None:
        _check_customized(customized)
        return
    kind = config["PredefinedMetricSpecification"]["PredefinedMetricType"]
    found = _PREDEFINED.get(kind)
    if found is None:
        raise errors.make_not_built(f"the predefined metric {kind}")
    _check_label(kind, config["PredefinedMetricSpecification"].get("ResourceLabel", ""))
    if not place.dimension.endswith(found.dimension):
        raise errors.make_validation(f"Invalid predefined metric type {kind} for scalable dimension {place.dimension}.")
    if _is_of_table(config) and not _MIN_TABLE_PERCENT <= target <= _MAX_TABLE_PERCENT:
        raise errors.make_validation(
            f"TargetValue must be between {_MIN_TABLE_PERCENT} and {_MAX_TABLE_PERCENT} for {kind}."
        )


def _check_label(kind: str, label: str) -> None:
    if kind == _REQUESTS:
        if not _LABEL.fullmatch(label):
            raise errors.make_validation(
                f"Resource label must be app/<load balancer>/<id>/targetgroup/<target group>/<id> for {kind}."
            )
    elif label:
        raise errors.make_validation(f"Resource label is not allowed for predefined metric type {kind}.")


def _check_customized(given: Mapping[str, Any]) -> None:
    single = [name for name in ("MetricName", "Namespace", "Statistic") if given.get(name)]
    if given.get("Metrics"):
        if single or given.get("Dimensions") or given.get("Unit"):
            raise errors.make_validation("Metrics cannot be specified together with a single metric.")
    elif len(single) < 3:
        raise errors.make_validation("MetricName, Namespace and Statistic are required for a customized metric.")


def has_same_metric(config: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two configurations track the same metric."""
    names = ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
    return all(config.get(name) == other.get(name) for name in names)


def make_alarm_names(place: Place, config: Mapping[str, Any]) -> dict[str, str]:
    """Return new names of the alarms that a policy needs, by their roles."""
    roles = [HIGH]
    if not config.get("DisableScaleIn"):
        roles.append(LOW)
    if _is_of_table(config):
        roles.extend(_PROVISIONED)
    return {role: f"TargetTracking-{place.resource}-{role}-{uuid4()}" for role in roles}


def follows_capacity(policy: Policy) -> bool:
    """Whether the thresholds of a policy's alarms depend on the capacity."""
    return _is_of_table(policy.config)


def make_alarm(policy: Policy, role: str, capacity: int) -> dict[str, Any]:
    """Return the parameters of PutMetricAlarm for one of a policy's alarms, at a capacity."""
    is_high = role.endswith("High")
    if role in _PROVISIONED:
        kind = policy.place.dimension.rpartition(":")[2]
        metric = _make_table_metric(policy.place, f"Provisioned{kind}", "Average", _PROVISIONED_PERIOD_SECONDS)
        periods, threshold = 3, float(capacity)
    elif _is_of_table(policy.config):
        kind = policy.place.dimension.rpartition(":")[2]
        metric = _make_table_metric(policy.place, f"Consumed{kind}", "Sum", _PERIOD_SECONDS)
        periods = _TABLE_PERIODS if is_high else _LOW_PERIODS
        percent = policy.config["TargetValue"] - (0 if is_high else _TABLE_MARGIN_PERCENT)
        threshold = percent / 100 * capacity * _PERIOD_SECONDS
    else:
        metric = _make_metric(policy)
        periods = 3 if is_high else _LOW_PERIODS
        threshold = policy.config["TargetValue"] * (1 if is_high else _LOW_SHARE)
    return {
        "AlarmName": policy.alarms[role],
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
        "ActionsEnabled": True,
        "AlarmActions": [policy.arn],
        **metric,
        "EvaluationPeriods": periods,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold" if is_high else "LessThanThreshold",
    }


def compute_capacity(policy: Policy, value: float, capacity: int) -> int:
    """Return the capacity that brings a metric from its value to its target."""
    target: float = policy.config["TargetValue"]
    if _is_of_table(policy.config):
        return ceil(value / _PERIOD_SECONDS / (target / 100) - _EPSILON)
    return ceil(capacity * value / target - _EPSILON)


def _is_of_table(config: Mapping[str, Any]) -> bool:
    predefined = config.get("PredefinedMetricSpecification") or {}
    return str(predefined.get("PredefinedMetricType", "")).startswith("DynamoDB")


def _make_table_metric(place: Place, name: str, statistic: str, period_seconds: int) -> dict[str, Any]:
    dimensions = zip(("TableName", "GlobalSecondaryIndexName"), get_names(place), strict=False)
    return _make_plain("AWS/DynamoDB", name, dimensions, statistic, period_seconds)


def _make_plain(
    namespace: str, name: str, dimensions: Any, statistic: str, period_seconds: int = _PERIOD_SECONDS
) -> dict[str, Any]:
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
        "Statistic": statistic,
        "Period": period_seconds,
    }


def _make_metric(policy: Policy) -> dict[str, Any]:
    """Return what the alarms of a policy watch, but for DynamoDB's."""
    customized = policy.config.get("CustomizedMetricSpecification")
    if customized is None:
        names, predefined = get_names(policy.place), policy.config["PredefinedMetricSpecification"]
        metric = _PREDEFINED[predefined["PredefinedMetricType"]].metric
        if label := _LABEL.fullmatch(predefined.get("ResourceLabel", "")):
            dimensions = [("TargetGroup", label[2]), ("LoadBalancer", label[1])]
            return _make_plain("AWS/ApplicationELB", metric, dimensions, "Sum")
        if policy.place.namespace == "ecs":
            dimensions = [("ClusterName", names[0]), ("ServiceName", names[1])]
            return _make_plain("AWS/ECS", metric, dimensions, "Average")
        dimensions = [("FunctionName", names[0]), ("Resource", ":".join(names))]
        return _make_plain("AWS/Lambda", metric, dimensions, "Average")
    if customized.get("Metrics"):
        return {"Metrics": [_make_query(query) for query in customized["Metrics"]]}
    dimensions = [(one["Name"], one["Value"]) for one in customized.get("Dimensions") or ()]
    made = _make_plain(customized["Namespace"], customized["MetricName"], dimensions, customized["Statistic"])
    return {**made, "Unit": customized["Unit"]} if customized.get("Unit") else made


def _make_query(query: Mapping[str, Any]) -> dict[str, Any]:
    if query.get("MetricStat") is None:
        return dict(query)
    return {**query, "MetricStat": {**query["MetricStat"], "Period": _PERIOD_SECONDS}}
