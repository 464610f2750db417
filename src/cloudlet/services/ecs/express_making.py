"""The log group, the alarm and the scaling that Express Mode makes for a service.

Developer guide, "Resources created by Amazon ECS Express Mode services".
"""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.services.ecs.express_record import Express
from cloudlet.services.ecs.ingress_calls import Calling
from cloudlet.services.ecs.ingress_record import Route
from cloudlet.services.ecs.service_record import Revision

METRICS: Final = {
    "AVERAGE_CPU": "ECSServiceAverageCPUUtilization",
    "AVERAGE_MEMORY": "ECSServiceAverageMemoryUtilization",
    "REQUEST_COUNT_PER_TARGET": "ALBRequestCountPerTarget",
}
_BY_REQUESTS: Final = "REQUEST_COUNT_PER_TARGET"
_DIMENSION: Final = "ecs:service:DesiredCount"
_ERROR_PERCENT: Final = 1.0
_PERIOD_SECONDS: Final = 60
_DATAPOINTS: Final = 2
_PERIODS: Final = 3
_Changes = dict[str, Any]


def is_ready(express: Express) -> bool:
    """Whether all is there that a deployment needs."""
    return bool(express.alarmed) and (express.has_log_group or not express.manages_log_group)


def follows_group(express: Express) -> bool:
    """Whether a service is scaled by the requests to its target group, which deployments change."""
    return bool(express.newest.scaling["autoScalingMetric"] == _BY_REQUESTS)


async def make(calling: Calling, express: Express, route: Route | None, serving: Revision | None) -> _Changes | None:
    """Make what is missing; return what was made, or None. Raises AwsError."""
    if express.manages_log_group and not express.has_log_group:
        try:
            await calling.call("logs", "CreateLogGroup", {"logGroupName": express.log_group, "tags": calling.tag_map})
        except AwsError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
        return {"has_log_group": True}
    if route is None or not route.is_made:
        return None
    groups = [group.arn for group in route.groups if group.arn]
    if groups != express.alarmed:
        await calling.call("cloudwatch", "PutMetricAlarm", _make_alarm(calling, express, route.rule, groups))
        return {"alarmed": groups}
    if serving is None:
        return None
    scaling = {**express.newest.scaling, **_find_label(express, route, serving)}
    return None if scaling == express.scaled else await _scale(calling, express, scaling)


def _find_label(express: Express, route: Route, serving: Revision) -> dict[str, str]:
    """Return the label of the target group that serves, where requests are counted."""
    if not follows_group(express) or not serving.groups:
        return {}
    return {"label": f"{_get_balancer(route.rule)}/{serving.groups[0].rpartition(':')[2]}"}


def _get_balancer(rule: str) -> str:
    """Return the load balancer that has a rule, as metrics name it."""
    return "/".join(rule.split("/")[1:4])


async def _scale(calling: Calling, express: Express, scaling: _Changes) -> _Changes:
    place = {"ServiceNamespace": "ecs", "ResourceId": express.resource, "ScalableDimension": _DIMENSION}
    bounds = {"MinCapacity": scaling["minTaskCount"], "MaxCapacity": scaling["maxTaskCount"]}
    tags = {} if express.target else {"Tags": calling.tag_map}
    model = "application-autoscaling"
    target = await calling.call(model, "RegisterScalableTarget", {**place, **bounds, **tags})
    metric = {"PredefinedMetricType": METRICS[scaling["autoScalingMetric"]]}
    label = {"ResourceLabel": scaling["label"]} if "label" in scaling else {}
    policy = {
        **place,
        "PolicyName": f"{express.cluster}-{express.service}"[-256:],
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": float(scaling["autoScalingTargetValue"]),
            "PredefinedMetricSpecification": {**metric, **label},
        },
    }
    made = await calling.call(model, "PutScalingPolicy", policy)
    return {"target": target["ScalableTargetARN"], "policy": made["PolicyARN"], "scaled": scaling}


def _make_alarm(calling: Calling, express: Express, rule: str, groups: list[str]) -> _Changes:
    """Return the alarm for over one percent of failed requests in two of three minutes."""
    queries: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        dimensions = [
            {"Name": "LoadBalancer", "Value": _get_balancer(rule)},
            {"Name": "TargetGroup", "Value": group.rpartition(":")[2]},
        ]
        for id, name in (("c", "HTTPCode_Target_4XX_Count"), ("s", "HTTPCode_Target_5XX_Count"), ("r", "RequestCount")):
            metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
            stat = {"Metric": metric, "Period": _PERIOD_SECONDS, "Stat": "Sum"}
            queries.append({"Id": f"{id}{number}", "MetricStat": stat, "ReturnData": False})
    failed = "+".join(f"FILL({id}{number},0)" for number in range(len(groups)) for id in "cs")
    total = "+".join(f"FILL(r{number},0)" for number in range(len(groups)))
    share = {"Id": "share", "Expression": f"100*({failed})/({total})", "Label": "Failed requests in percent"}
    return {
        "AlarmName": express.alarm,
        "AlarmDescription": "Finds faulty deployments of an Express service. Managed by Amazon ECS.",
        "Metrics": [*queries, {**share, "ReturnData": True}],
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": _ERROR_PERCENT,
        "EvaluationPeriods": _PERIODS,
        "DatapointsToAlarm": _DATAPOINTS,
        "TreatMissingData": "notBreaching",
        "Tags": calling.tags,
    }


async def remove(calling: Calling, express: Express) -> _Changes | None:
    """Remove all but the log group; return what is gone, or None. Raises AwsError."""
    if express.is_leaving:
        return None
    place = {"ServiceNamespace": "ecs", "ResourceId": express.resource, "ScalableDimension": _DIMENSION}
    await calling.remove("application-autoscaling", "DeregisterScalableTarget", place)
    await calling.remove("cloudwatch", "DeleteAlarms", {"AlarmNames": [express.alarm]})
    return {"is_leaving": True, "target": "", "policy": "", "scaled": {}, "alarmed": []}
