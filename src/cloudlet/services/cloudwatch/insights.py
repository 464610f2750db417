"""Metrics Insights: what the values of many metrics come to together, at once or in groups.

User guide, "Query your metrics with CloudWatch Metrics Insights" and "Metrics Insights quotas".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.background.workers import offload_if
from cloudlet.services.cloudwatch import directory, errors, reading
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.columns import Columns
from cloudlet.services.cloudwatch.expressions.series import Source, TimeSeries
from cloudlet.services.cloudwatch.insights_grammar import ACCOUNT, MOST_SERIES, Select
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.services.cloudwatch.reading import Asked

MOST_METRICS = 10_000
MOST_POINTS = 1_000_000
"""Of all groups together, before those are chosen that are shown."""
OLDEST_SECONDS = directory.LISTED_SECONDS
"""How far back queries look."""

_FINEST_SECONDS = 60
_LOOKED_AT = 200
_QUICK = 1000
"""Cells of a metric that are added up within a millisecond; more, beside the event loop."""
_OTHER = "Other"
"""The value of a label that a metric has not."""


class Found(NamedTuple):
    """What a query has found."""

    series: list[TimeSeries]
    is_all: bool
    """Whether no more metrics matched than a query looks at."""


class _Values:
    """The values of a period of some metrics."""

    __slots__ = ("count", "high", "low", "total")

    def __init__(self) -> None:
        self.count = self.total = 0.0
        self.low, self.high = float("inf"), float("-inf")


_Buckets = dict[int, _Values]
_OF_VALUES: dict[str, Callable[[_Values], float]] = {
    "AVG": lambda values: values.total / values.count,
    "COUNT": lambda values: values.count,
    "MAX": lambda values: values.high,
    "MIN": lambda values: values.low,
    "SUM": lambda values: values.total,
}
_OF_POINTS: dict[str, Callable[[list[float]], float]] = {
    "AVG": lambda points: sum(points) / len(points),
    "COUNT": len,
    "MAX": max,
    "MIN": min,
    "SUM": sum,
}


async def find(asker: Asker, query: Select, period: int, begin: float, end: float, *, exactly: bool) -> Found:
    """Return the series of a query over a span of time: one, or one for each group that has values.

    Periods begin with the span, `exactly` or as it is rounded down.
    """
    period = max(period, _FINEST_SECONDS)
    begin = max(begin, asker.now - OLDEST_SECONDS)
    start = int(begin) if exactly else reading.rounded_start(begin, period, asker.now)
    metrics = await _matching(asker, query)
    groups: dict[tuple[str, ...], _Buckets] = {} if query.groups else {(): {}}
    points = 0
    for metric in metrics[:MOST_METRICS]:
        asked = Asked(metric, None, period, start, end)
        columns = list((await reading.columns_of(asker, asked)).values())
        if any(columns):
            buckets = groups.setdefault(_group(metric, query), {})
            points -= len(buckets)
            await offload_if(sum(map(len, columns)) > _QUICK, asker.account, _add, buckets, columns, asked)
            points += len(buckets)
            if points > MOST_POINTS:
                raise errors.too_many_points(MOST_POINTS)
    series = [_series(query, asker, period, group, buckets) for group, buckets in sorted(groups.items())]
    if query.order is not None:
        of = _OF_POINTS[query.order]
        series.sort(key=lambda one: of(list(one.points.values())) if one.points else 0.0, reverse=query.descending)
    return Found(series[: min(query.limit, MOST_SERIES)], len(metrics) <= MOST_METRICS)


async def _matching(asker: Asker, query: Select) -> list[Metric]:
    """Return the metrics of a query, of those with values in the last two weeks, up to one more than it looks at."""
    oldest = asker.now - directory.LISTED_SECONDS
    found: list[Metric] = []
    after = b""
    while len(found) <= MOST_METRICS:

        async def body(tx: Transaction, after: bytes = after) -> list[tuple[bytes, Metric, int]]:
            return await directory.page(
                tx, asker.account, asker.region, query.namespace, query.metric, after, _LOOKED_AT
            )

        rows = await asker.store.transact(body)
        found += [metric for _, metric, seen in rows if seen >= oldest and matches(metric, query)]
        if len(rows) < _LOOKED_AT:
            break
        after = rows[-1][0]
        await asyncio.sleep(0)
    return found[: MOST_METRICS + 1]


def matches(metric: Metric, query: Select) -> bool:
    """Whether a query is about a metric of its namespace and name."""
    labels = _labels(metric)
    if query.schema is not None and query.schema != labels.keys() - {ACCOUNT}:
        return False
    return all((labels.get(one.label) == one.value) == one.equal for one in query.where)


def _labels(metric: Metric) -> dict[str, str]:
    return {ACCOUNT: metric.account, **dict(metric.dimensions)}


def _group(metric: Metric, query: Select) -> tuple[str, ...]:
    labels = _labels(metric)
    return tuple(labels.get(label, _OTHER) for label in query.groups)


def _add(buckets: _Buckets, of_units: Iterable[Columns], asked: Asked) -> None:
    """Add the values of a metric, of all units, to those of the periods of a span."""
    for columns in of_units:
        for time, first, last in reading.periods_of(columns, asked.period, asked.start):
            values = buckets.setdefault(time, _Values())
            values.count += sum(columns.counts[first:last])
            values.total += sum(columns.totals[first:last])
            values.low = min(values.low, *columns.lows[first:last])
            values.high = max(values.high, *columns.highs[first:last])


def _series(query: Select, asker: Asker, period: int, group: Iterable[str], buckets: _Buckets) -> TimeSeries:
    of = _OF_VALUES[query.function]
    dimensions = tuple(zip(query.groups, group, strict=True))
    source = Source(query.namespace, query.metric, dimensions, query.function, asker.account, asker.region)
    label = " ".join(value for _, value in dimensions)
    return TimeSeries({time: of(buckets[time]) for time in sorted(buckets)}, period, label, source)
