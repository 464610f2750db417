"""What GetMetricData and alarms take as queries. API reference, "MetricDataQuery" and "MetricStat"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.background.workers import offload_if
from cloudlet.services.cloudwatch import errors, insights_grammar, labels, reading, statistic
from cloudlet.services.cloudwatch.expressions.parser import parse
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt
from cloudlet.services.cloudwatch.expressions.syntax import Call, Node, walk
from cloudlet.services.cloudwatch.insights_grammar import Select
from cloudlet.services.cloudwatch.metric import UNIT_CODES, Metric, dimensions_of
from cloudlet.services.cloudwatch.statistic import Statistic, UnknownStatistic

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
LONGEST_EXPRESSION = 2048
_QUICK_CHARACTERS = 1000
"""So many characters of expressions are read within some milliseconds."""
_INSIGHTS = re.compile(r"\s*SELECT\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """A statistic of a metric."""

    id: str
    metric: Metric
    statistic: Statistic
    period: int
    unit: int | None
    label: str | None
    returned: bool


@dataclass(frozen=True, slots=True)
class ExpressionQuery:
    """An expression."""

    id: str
    expression: str
    node: Node
    searches: tuple[Call, ...]
    """The SEARCHes in it."""
    period: int | None
    label: str | None
    returned: bool


@dataclass(frozen=True, slots=True)
class InsightsQuery:
    """A query of Metrics Insights."""

    id: str
    select: Select
    period: int | None
    label: str | None
    returned: bool


Query = MetricQuery | ExpressionQuery | InsightsQuery


def queries_of(account: str, region: str, given: Sequence[dict[str, Any]], member: str) -> list[Query]:
    """Return the queries of a request's member. Raises AwsError."""
    found: list[Query] = []
    for at, one in enumerate(given, 1):
        found.append(_query(account, region, f"{member}.member.{at}", one))
    if len({query.id for query in found}) < len(found):
        raise errors.validation(f"The values for parameter Id in {member} are not unique.")
    if sum([isinstance(query, InsightsQuery) for query in found]) > 1:
        raise errors.validation(f"{member} can have one Metrics Insights query only.")
    return found


async def read(account: str, region: str, given: Sequence[dict[str, Any]], member: str) -> list[Query]:
    """Return the queries of a request's member; long ones are read beside the event loop. Raises AwsError."""
    takes_long = sum([len(one.get("Expression") or "") for one in given]) > _QUICK_CHARACTERS
    return await offload_if(takes_long, account, queries_of, account, region, given, member)


def expression_error(id: str, problem: ExpressionProblem) -> AwsError:
    """What is answered to an expression that cannot be read or computed."""
    return errors.validation(f"Error in expression '{id}': {problem}")


def searches_of(node: Node) -> tuple[Call, ...]:
    """Return the SEARCHes of an expression."""
    return tuple([one for one in walk(node) if isinstance(one, Call) and one.function == "SEARCH"])


def is_insights(expression: str) -> bool:
    """Whether an expression is a query of Metrics Insights."""
    return _INSIGHTS.match(expression) is not None


def _query(account: str, region: str, path: str, given: dict[str, Any]) -> Query:
    id, label = given["Id"], given.get("Label")
    if not _ID.fullmatch(id):
        raise errors.validation(
            f"The value {id} for parameter {path}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )
    if label is not None:
        labels.check(path, label)
    if given.get("AccountId", account) != account:
        raise errors.not_built("queries of metrics in other accounts (AccountId)")
    returned = given.get("ReturnData", True)
    expression, stat = given.get("Expression"), given.get("MetricStat")
    if (expression is None) == (stat is None):
        both = f"{path}.Expression and {path}.MetricStat"
        if stat is None:
            raise errors.validation(f"At least one of the parameters {both} must be specified.")
        raise errors.validation(f"The parameters {both} are mutually exclusive and you have specified both.")
    if stat is not None:
        if "Period" in given:
            raise errors.validation(f"The parameters {path}.Period and {path}.MetricStat are mutually exclusive.")
        return _metric_query(account, region, path, id, stat, label, returned)
    period = given.get("Period")
    if period is not None:
        check_period(f"{path}.Period", period)
    assert expression is not None  # noqa: S101 - for the type checker: one of them is there
    if len(expression) > LONGEST_EXPRESSION:
        raise errors.validation(f"The parameter {path}.Expression has {LONGEST_EXPRESSION:,} characters at most.")
    try:
        if is_insights(expression):
            return InsightsQuery(id, insights_grammar.parse(expression), period, label, returned)
        node = parse(expression)
        return ExpressionQuery(id, expression, node, searches_of(node), period, label, returned)
    except ExpressionProblem as problem:
        raise expression_error(id, problem) from None
    except NotBuilt as error:
        raise errors.not_built(str(error)) from None


def _metric_query(
    account: str, region: str, path: str, id: str, given: dict[str, Any], label: str | None, returned: bool
) -> MetricQuery:
    described = given["Metric"]
    for name in ("Namespace", "MetricName"):
        if name not in described:
            raise errors.validation(f"The parameter {path}.MetricStat.Metric.{name} is required.")
    check_period(f"{path}.MetricStat.Period", given["Period"])
    dimensions = dimensions_of(described.get("Dimensions"))
    metric = Metric(account, region, described["Namespace"], described["MetricName"], dimensions)
    asked = statistic_of(f"{path}.MetricStat.Stat", given["Stat"])
    unit = UNIT_CODES[given["Unit"]] if "Unit" in given else None
    return MetricQuery(id, metric, asked, given["Period"], unit, label, returned)


def check_period(path: str, period: int) -> None:
    """Raise AwsError for a period that no statistics are of."""
    if not reading.is_period(period):
        raise errors.validation(f"The value {period} for parameter {path} is invalid: it must be a multiple of 60.")


def statistic_of(path: str, name: str) -> Statistic:
    """Return the statistic of a name. Raises AwsError."""
    try:
        return statistic.parse(name)
    except UnknownStatistic:
        raise errors.validation(f"The value {name} for parameter {path} is not supported.") from None
