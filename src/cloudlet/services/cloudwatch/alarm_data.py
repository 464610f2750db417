"""What a metric alarm watches: the datapoints of its metric or expression."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cloudlet.services.cloudwatch import query_check, querying, reading
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.expressions.series import TimeSeries
from cloudlet.services.cloudwatch.judging import MORE_PERIODS
from cloudlet.services.cloudwatch.metric import UNIT_CODES, Metric, dimensions_of
from cloudlet.services.cloudwatch.reading import Asked
from cloudlet.services.cloudwatch.statistic import Statistic, parse


@dataclass(frozen=True, slots=True)
class Datapoints:
    """The datapoints of the periods before a time, the oldest first; None where one is missing."""

    times: list[int]
    """When each period begins, in seconds since the epoch."""
    values: list[float | None]
    samples: list[float]
    """How many values each is made of; nothing where that is not known."""


def period_of(alarm: Alarm) -> int:
    """Return the period of a metric alarm, in seconds."""
    if "Period" in alarm.config:
        return int(alarm.config["Period"])
    queries = alarm.config["Metrics"]
    periods: list[int] = [query["MetricStat"]["Period"] for query in queries if "MetricStat" in query]
    periods += [query["Period"] for query in queries if "Period" in query]
    return max(periods)


def interval_of(alarm: Alarm) -> int:
    """Return how often a metric alarm is evaluated, in seconds."""
    return 60 if period_of(alarm) >= 60 else 10


def next_due(alarm: Alarm, now: float) -> int:
    """Return when a metric alarm is to be evaluated after `now` (s), in milliseconds since the epoch."""
    interval = interval_of(alarm)
    return (int(now) // interval + 1) * interval * 1000


def statistic_of(alarm: Alarm) -> Statistic | None:
    """Return the statistic of an alarm on one metric."""
    name = alarm.config.get("Statistic") or alarm.config.get("ExtendedStatistic")
    return None if name is None else parse(name)


async def datapoints(asker: Asker, alarm: Alarm) -> Datapoints:
    """Return the datapoints that an alarm is evaluated by. Raises AwsError for an expression that fails."""
    period, interval = period_of(alarm), interval_of(alarm)
    end = int(asker.now) // interval * interval
    count = alarm.config["EvaluationPeriods"] + MORE_PERIODS
    # Values of minutes are in one of the shorter periods of a minute only: that one is to be among those.
    longest = max(count, 60 // period + 2) if period < 60 else count
    found = await _over(asker, alarm, list(range(end - longest * period, end, period)), end)
    present = [time for time, value in zip(found.times, found.values, strict=True) if value is not None]
    if any(later - time < 60 for time, later in pairwise(present)):
        return Datapoints(found.times[-count:], found.values[-count:], found.samples[-count:])
    return found


async def _over(asker: Asker, alarm: Alarm, times: list[int], end: int) -> Datapoints:
    period = period_of(alarm)
    statistic = statistic_of(alarm)
    if statistic is not None:
        return await _of_metric(asker, alarm.config, statistic, period, times, end)
    queries = await query_check.read(asker.account, asker.region, alarm.config["Metrics"], "Metrics")
    (watched,) = (query for query in queries if query.returned)
    results = await querying.results_of(asker, queries, times[0], end, exactly=True)
    series = results.values[watched.id]
    points = series.points if isinstance(series, TimeSeries) else {}
    return Datapoints(times, [points.get(time) for time in times], [])


async def _of_metric(
    asker: Asker, config: dict[str, Any], statistic: Statistic, period: int, times: list[int], end: int
) -> Datapoints:
    dimensions = dimensions_of(config.get("Dimensions"))
    metric = Metric(asker.account, asker.region, config["Namespace"], config["MetricName"], dimensions)
    unit = UNIT_CODES[config["Unit"]] if "Unit" in config else None
    found = await reading.datapoints(asker, Asked(metric, unit, period, times[0], end), [statistic])
    await asyncio.sleep(0)
    points, counts = found.series(), dict(zip(found.times, found.samples, strict=True))
    return Datapoints(times, [points.get(time) for time in times], [counts.get(time, 0.0) for time in times])
