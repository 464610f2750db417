"""GetMetricStatistics. API reference, "GetMetricStatistics"."""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError, Context, Params, Result
from cloudlet.services.cloudwatch import directory, errors, reading, statistic
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.metric import UNIT_CODES, UNITS, Metric, dimensions_of
from cloudlet.services.cloudwatch.reading import Asked
from cloudlet.services.cloudwatch.statistic import Statistic, UnknownStatistic

MOST_DATAPOINTS = 1440


async def get_metric_statistics(ctx: Context, params: Params) -> Result:
    """Return the datapoints of a metric, those of each unit by themselves."""
    period = params["Period"]
    if not reading.is_period(period):
        raise errors.invalid_value(f"The value {period} for parameter Period is invalid: it must be a multiple of 60.")
    begin, end, now = int(params["StartTime"]), int(params["EndTime"]), ctx.now()
    if begin >= end:
        raise errors.invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    asked = _statistics(params)
    start = reading.rounded_start(begin, period, now)
    count = -((begin - end) // period)
    if count > MOST_DATAPOINTS:
        raise errors.invalid_combination(
            f"You have requested up to {count:,} datapoints, which exceeds the limit of {MOST_DATAPOINTS:,}. You may "
            "reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    dimensions = dimensions_of(params.get("Dimensions"))
    metric = Metric(ctx.account, ctx.region, params["Namespace"], params["MetricName"], dimensions)
    unit = UNIT_CODES[params["Unit"]] if "Unit" in params else None
    asker = Asker(ctx.block.store, ctx.account, ctx.region, now)
    found = []
    for stream in await ctx.transact(lambda tx: directory.streams(tx, metric, unit)):
        of_unit = await reading.datapoints(asker, Asked(metric, stream.unit, period, start, end), asked)
        for time, *values in zip(of_unit.times, *of_unit.values, strict=True):
            found.append({"Timestamp": time, **_datapoint(asked, values), "Unit": UNITS[stream.unit]})
    return {"Label": params["MetricName"], "Datapoints": found}


def _statistics(params: Params) -> list[Statistic]:
    plain, extended = params.get("Statistics"), params.get("ExtendedStatistics")
    if not plain and not extended:
        raise errors.invalid_combination("Must specify either Statistics or ExtendedStatistics")
    if plain and extended:
        raise errors.invalid_combination("Must specify either Statistics or ExtendedStatistics, but not both")
    return [statistic.parse(name) for name in plain] if plain else [_extended(name) for name in extended or []]


def _extended(name: str) -> Statistic:
    try:
        asked = statistic.parse(name)
    except UnknownStatistic:
        raise _unsupported(name) from None
    if not asked.needs_values:
        raise _unsupported(name)
    return asked


def _unsupported(name: str) -> AwsError:
    return errors.invalid_value(f"The value {name} for parameter ExtendedStatistics is not supported.")


def _datapoint(asked: list[Statistic], values: list[float | None]) -> dict[str, Any]:
    named = {one.name: value for one, value in zip(asked, values, strict=True) if value is not None}
    return {"ExtendedStatistics": named} if asked[0].needs_values else named
