"""Computes queries: series of metrics, and of expressions over them. GetMetricData and alarms do so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cloudlet.core.background.workers import offload_if
from cloudlet.services.cloudwatch import errors, insights, labels, reading, search, search_grammar
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.expressions.evaluation import Surroundings, evaluate
from cloudlet.services.cloudwatch.expressions.functions import Work
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt
from cloudlet.services.cloudwatch.expressions.series import Source, TimeSeries, Value
from cloudlet.services.cloudwatch.expressions.syntax import Call, Number, Text
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.services.cloudwatch.query_check import (
    ExpressionQuery,
    InsightsQuery,
    MetricQuery,
    Query,
    expression_error,
)
from cloudlet.services.cloudwatch.reading import Asked
from cloudlet.services.cloudwatch.statistic import Statistic, UnknownStatistic
from cloudlet.services.cloudwatch.statistic import parse as parse_statistic

TOO_MANY_METRICS = ("MaxMetricsExceeded", "Maximum number of allowed metrics exceeded")
MOST_POINTS = 1_000_000
"""Of all series of a request together, before they are paged."""
_DEFAULT_PERIOD = 300
_LENGTH_OF_A_PART = 2
_QUICK = 20_000
"""So many data points times parts of expressions are computed within milliseconds."""


@dataclass(slots=True)
class Results:
    """The values of queries by their ids, and messages (code, text) about all of them."""

    values: dict[str, TimeSeries | list[TimeSeries]] = field(default_factory=dict)
    messages: list[tuple[str, str]] = field(default_factory=list)


async def results_of(
    asker: Asker, queries: Sequence[Query], begin: float, end: float, *, exactly: bool = False
) -> Results:
    """Return the values of all queries over a span of time. Raises AwsError.

    Periods begin with the span, as GetMetricData rounds it down; or `exactly`.
    """
    return await _Computation(asker, queries, begin, end, exactly).run()


class _Computation:
    def __init__(self, asker: Asker, queries: Sequence[Query], begin: float, end: float, exactly: bool) -> None:
        self._asker = asker
        self._exactly = exactly
        self._queries = {query.id: query for query in queries}
        self._begin, self._end = begin, end
        self._results = Results()
        self._metrics: dict[str, TimeSeries] = {}
        self._found: dict[Call, list[TimeSeries]] = {}
        self._computing: set[str] = set()
        self._points = 0
        self._work = Work()
        periods = [query.period for query in queries if isinstance(query, MetricQuery)]
        self._period = min(periods, default=_DEFAULT_PERIOD)

    async def run(self) -> Results:
        for query in self._queries.values():
            if isinstance(query, MetricQuery):
                series = await self._series(query.metric, query.statistic, query.period, query.unit)
                self._metrics[query.id] = self._results.values[query.id] = series
        for query in self._queries.values():
            if isinstance(query, ExpressionQuery):
                await self._search(query)
            elif isinstance(query, InsightsQuery):
                self._results.values[query.id] = await self._insights(query)
        await offload_if(self._takes_long(), self._asker.account, self._compute)
        return self._results

    def _takes_long(self) -> bool:
        """Whether expressions are better computed beside the event loop."""
        expressions = [query for query in self._queries.values() if isinstance(query, ExpressionQuery)]
        parts = sum([len(query.expression) for query in expressions]) / _LENGTH_OF_A_PART
        period = min((query.period or self._period for query in expressions), default=self._period)
        return parts * (self._points + (self._end - self._begin) / min(period, self._period)) > _QUICK

    def _compute(self) -> None:
        for id in self._queries:
            self._value(id)

    async def _series(
        self, metric: Metric, asked: Statistic, period: int, unit: int | None = None, label: str | None = None
    ) -> TimeSeries:
        start = int(self._begin) if self._exactly else reading.rounded_start(self._begin, period, self._asker.now)
        found = await reading.datapoints(self._asker, Asked(metric, unit, period, start, self._end), [asked])
        points = found.series()
        self._count(len(points))
        source = Source(metric.namespace, metric.name, metric.dimensions, asked.name, metric.account, metric.region)
        return TimeSeries(points, period, metric.name if label is None else label, source)

    async def _insights(self, query: InsightsQuery) -> TimeSeries | list[TimeSeries]:
        period = query.period or self._period
        found = await insights.find(self._asker, query.select, period, self._begin, self._end, exactly=self._exactly)
        self._count(sum([len(series.points) for series in found.series]))
        if not found.is_all:
            self._note_too_many()
        return found.series if query.select.groups else found.series[0]

    def _count(self, points: int) -> None:
        """Raise AwsError where the points of a request become too many."""
        self._points += points
        if self._points > MOST_POINTS:
            raise errors.too_many_points(MOST_POINTS)

    def _note_too_many(self) -> None:
        if TOO_MANY_METRICS not in self._results.messages:
            self._results.messages.append(TOO_MANY_METRICS)

    # -- expressions

    def _value(self, id: str) -> TimeSeries | list[TimeSeries]:
        known = self._results.values.get(id)
        if known is not None:
            return known
        query = self._queries[id]
        assert isinstance(query, ExpressionQuery)  # noqa: S101 - for the type checker: the others are known
        self._computing.add(id)
        around = Surroundings(
            (self._begin, self._end),
            query.period or self._period,
            self._metrics,
            self._lookup,
            self._found,
            self._work,
        )
        try:
            value = evaluate(query.node, around)
            if not isinstance(value, TimeSeries | list):
                raise ExpressionProblem("The final result must be a time series or an array of time series")
        except ExpressionProblem as problem:
            raise expression_error(id, problem) from None
        except NotBuilt as error:
            raise errors.not_built(str(error)) from None
        self._computing.discard(id)
        self._results.values[id] = value
        return value

    def _lookup(self, id: str) -> Value:
        if id not in self._queries:
            raise ExpressionProblem(f"Unknown identifier '{id}'")
        if id in self._computing:
            raise ExpressionProblem(f"The expression depends on itself, through '{id}'")
        return self._value(id)

    async def _search(self, query: ExpressionQuery) -> None:
        """Find what the SEARCHes of an expression search for."""
        for node in query.searches:
            try:
                search_for, asked, period = _search_arguments(node, query.period or self._period)
            except ExpressionProblem as problem:
                raise expression_error(query.id, problem) from None
            if node in self._found:
                continue
            room = search.MOST_FOUND - sum([len(found) for found in self._found.values()])
            metrics = await search.find(self._asker, search_for)
            if len(metrics) > room:
                del metrics[room:]
                self._note_too_many()
            named = zip(metrics, labels.of_found(metrics), strict=True)
            self._found[node] = [await self._series(metric, asked, period, label=label) for metric, label in named]


def _search_arguments(node: Call, otherwise: int) -> tuple[search_grammar.Search, Statistic, int]:
    """Return what a SEARCH searches for, the statistic and the period. Raises ExpressionProblem."""
    if not 2 <= len(node.arguments) <= 3:
        raise ExpressionProblem("Invalid number of arguments for the function SEARCH")
    text, name, *rest = node.arguments
    if not isinstance(text, Text) or not isinstance(name, Text):
        raise ExpressionProblem("SEARCH takes a search expression and a statistic, each a string")
    period: float = otherwise
    if rest:
        (given,) = rest
        if not isinstance(given, Number):
            raise ExpressionProblem("The period of SEARCH must be a number")
        period = given.value
    if period != int(period) or not reading.is_period(int(period)):
        raise ExpressionProblem(f"The period {period:g} of SEARCH must be a multiple of 60")
    try:
        asked = parse_statistic(name.value)
    except UnknownStatistic:
        raise ExpressionProblem(f"The statistic {name.value} is not supported") from None
    return search_grammar.parse(text.value), asked, int(period)
