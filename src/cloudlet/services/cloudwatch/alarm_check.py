"""What PutMetricAlarm and PutCompositeAlarm take. API reference, "PutMetricAlarm", "PutCompositeAlarm"."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn, Context, Params
from cloudlet.services.cloudwatch import alarm_rule, errors, query_check
from cloudlet.services.cloudwatch.alarm_rule import RuleProblem
from cloudlet.services.cloudwatch.changing import ACTIONS
from cloudlet.services.cloudwatch.expressions.evaluation import Surroundings, evaluate
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt
from cloudlet.services.cloudwatch.expressions.series import TimeSeries, Value
from cloudlet.services.cloudwatch.judging import COMPARISONS, TREATMENTS
from cloudlet.services.cloudwatch.putting import LARGEST
from cloudlet.services.cloudwatch.query_check import ExpressionQuery, InsightsQuery, MetricQuery, Query

_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")
_PERIODS = (10, 20, 30)
_DAY, _WEEK = 86400, 7 * 86400
_INSIGHTS_SECONDS = 3 * 3600
"""What alarms on Metrics Insights queries look at (user guide, "Metrics Insights quotas")."""
_MOST_OF_EACH = 10
_NOT_BUILT = {
    "ActionConfiguration": "tags in alarms' notifications (ActionConfiguration)",
    "EvaluationCriteria": "PromQL alarms (EvaluationCriteria)",
    "EvaluationInterval": "PromQL alarms (EvaluationInterval)",
    "ThresholdMetricId": "anomaly detection (ThresholdMetricId)",
    "WarmUpConfiguration": "warm-up periods of alarms (WarmUpConfiguration)",
}


def metric_alarm(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the settings of a metric alarm. Raises AwsError."""
    _check_built(params)
    if "WallClockWindow" in params.get("EvaluationWindow", {}):
        raise errors.not_built("wall clock windows of alarms (EvaluationWindow)")
    config = {name: value for name, value in params.items() if name not in ("AlarmName", "Tags") and value is not None}
    _check_common(params)
    for name in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if name not in config:
            raise errors.validation(f"The parameter {name} is required.")
    if not abs(config["Threshold"]) <= LARGEST:
        raise errors.validation("The value of the parameter Threshold is invalid.")
    config["Threshold"] = float(config["Threshold"])
    if config["ComparisonOperator"] not in COMPARISONS:
        raise errors.not_built(f"anomaly detection ({config['ComparisonOperator']})")
    treatment = config.get("TreatMissingData", "missing")
    if treatment not in TREATMENTS:
        raise errors.validation(f"The value {treatment} for parameter TreatMissingData is not supported.")
    if config.get("EvaluateLowSampleCountPercentile", "evaluate") not in ("evaluate", "ignore"):
        raise errors.validation(
            f"The value {config['EvaluateLowSampleCountPercentile']} for parameter EvaluateLowSampleCountPercentile is "
            "not supported."
        )
    n = config["EvaluationPeriods"]
    if config.get("DatapointsToAlarm", n) > n:
        raise errors.validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    period = _period_of_queries(ctx, config) if "Metrics" in config else _period_of_metric(config)
    longest, said = (_DAY, "a day") if period < 3600 else (_WEEK, "seven days")
    if any(query_check.is_insights(query.get("Expression") or "") for query in config.get("Metrics") or ()):
        longest, said = _INSIGHTS_SECONDS, "three hours"
        if period < 60:
            raise errors.validation("The period of an alarm on a Metrics Insights query must be a multiple of 60.")
    if n * period > longest:
        raise errors.validation(
            f"Metrics cannot be checked across more than {said} (EvaluationPeriods * Period must be <= {longest})."
        )
    return config


def composite_alarm(params: Params) -> dict[str, Any]:
    """Return the settings of a composite alarm. Raises AwsError."""
    _check_built(params)
    _check_common(params)
    config = {name: value for name, value in params.items() if name not in ("AlarmName", "Tags") and value is not None}
    try:
        config["Children"] = alarm_rule.names(alarm_rule.parse(config["AlarmRule"]))
    except RuleProblem as problem:
        raise errors.validation(f"AlarmRule must be a valid expression: {problem}.") from None
    periods = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
    for name in periods:
        if ("ActionsSuppressor" in config) != (name in config):
            raise errors.validation(f"ActionsSuppressor and {name} must be specified together.")
        if config.get(name, 0) < 0:
            raise errors.validation(f"The value {config[name]} for parameter {name} must not be negative.")
    return config


def _check_built(params: Params) -> None:
    for name, what in _NOT_BUILT.items():
        if params.get(name) is not None:
            raise errors.not_built(what)


def _check_common(params: Params) -> None:
    name = params["AlarmName"]
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise errors.validation("The parameter AlarmName must not contain ASCII control characters.")
    for kind in ACTIONS.values():
        for action in params.get(kind) or ():
            try:
                Arn.parse(action)
            except ValueError:
                raise errors.validation(f"Invalid arn syntax: {action}") from None


def _check_period(path: str, period: int) -> None:
    if period not in _PERIODS and period % 60:
        raise errors.validation(f"The value {period} for parameter {path} must be 10, 20, 30 or a multiple of 60.")


# -- of one metric


def _period_of_metric(config: dict[str, Any]) -> int:
    for name in ("MetricName", "Namespace", "Period"):
        if name not in config:
            raise errors.validation(f"The parameter {name} is required where Metrics is not specified.")
    statistic, extended = config.get("Statistic"), config.get("ExtendedStatistic")
    if (statistic is None) == (extended is None):
        raise errors.validation("Exactly one of the parameters Statistic and ExtendedStatistic must be specified.")
    if extended is not None and not query_check.statistic_of("ExtendedStatistic", extended).needs_values:
        raise errors.validation(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    period: int = config["Period"]
    _check_period("Period", period)
    return period


# -- of an expression


def _period_of_queries(ctx: Context, config: dict[str, Any]) -> int:
    for name in _OF_ONE_METRIC:
        if name in config:
            raise errors.validation(f"The parameters Metrics and {name} are mutually exclusive.")
    queries = query_check.queries_of(ctx.account, ctx.region, config["Metrics"], "Metrics")
    returned = [query for query in queries if query.returned]
    if len(returned) != 1:
        raise errors.validation("Exactly one element of the Metrics list should return data.")
    metrics = [query for query in queries if isinstance(query, MetricQuery)]
    if max(len(metrics), len(queries) - len(metrics)) > _MOST_OF_EACH:
        raise errors.validation(f"The Metrics list can have {_MOST_OF_EACH} metrics and as many expressions.")
    periods = {query.period for query in queries if query.period is not None}
    if not periods:
        raise errors.validation("The parameter Period is required for an expression without metrics.")
    if len(periods) > 1:
        raise errors.validation("All metrics and expressions of the Metrics list must have the same period.")
    (period,) = periods
    _check_period("Metrics.Period", period)
    _check_single(returned[0], queries, period)
    return period


def _check_single(watched: Query, queries: list[Query], period: int) -> None:
    """Raise AwsError unless what an alarm watches is one time series: compute it without any data."""
    named = {query.id: query for query in queries}
    empty = {query.id: TimeSeries({}, period) for query in queries if not isinstance(query, ExpressionQuery)}
    if any(isinstance(query, InsightsQuery) and query.select.groups for query in queries):
        raise errors.not_built("alarms on several time series (GROUP BY)")
    computing: list[str] = []

    def value_of(id: str) -> Value:
        if id in empty:
            return empty[id]
        query = named.get(id)
        if query is None:
            raise ExpressionProblem(f"Unknown identifier '{id}'")
        if id in computing:
            raise ExpressionProblem(f"The expression depends on itself, through '{id}'")
        assert isinstance(query, ExpressionQuery)  # noqa: S101 - for the type checker
        if query.searches:
            raise ExpressionProblem("SEARCH is not supported in alarms")
        computing.append(id)
        value = evaluate(query.node, Surroundings((0, period), period, empty, value_of, {}))
        computing.pop()
        return value

    try:
        value = value_of(watched.id)
    except ExpressionProblem as problem:
        raise query_check.expression_error(watched.id, problem) from None
    except NotBuilt as error:
        raise errors.not_built(str(error)) from None
    if not isinstance(value, TimeSeries):
        raise query_check.expression_error(
            watched.id, ExpressionProblem("An alarm watches a single time series, and not several or a scalar")
        )
