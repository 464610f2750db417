"""The functions of metric math that need nothing but their arguments' values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise

from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem
from cloudlet.services.cloudwatch.expressions.series import TimeSeries, Value, each

Span = tuple[float, float]
"""The time that is asked about: from, and up to; in seconds since the epoch."""

MOST_POINTS = 100_800
"""Of a series that an expression makes: as many as a request can have."""
MOST_TOGETHER = 1_000_000
"""Of all series that a function, or an operator, makes."""
MOST_WORK = 5_000_000
"""Of all that the expressions of a request go through."""


def grid(series: TimeSeries, span: Span) -> range:
    """Return the times of all periods of a series, whether it has values there or not.

    Raises ExpressionProblem where there are too many.
    """
    begin, end = span
    anchor = next(iter(series.points), int(begin // series.period) * series.period)
    first = anchor - max(0, int((anchor - begin) // series.period)) * series.period
    times = range(first, math.ceil(end), series.period)
    if len(times) > MOST_POINTS:
        raise ExpressionProblem(f"A time series has {MOST_POINTS:,} data points at most")
    return times


class Work:
    """What the expressions of a request have gone through: an array soon has the same series many times."""

    __slots__ = ("_points",)

    def __init__(self) -> None:
        self._points = 0

    def take(self, points: int) -> None:
        """Count data points before they are gone through, or made. Raises ExpressionProblem for too many."""
        self._points += points
        if points > MOST_TOGETHER:
            raise ExpressionProblem(f"Time series have {MOST_TOGETHER:,} data points together at most")
        if self._points > MOST_WORK:
            raise ExpressionProblem(f"The expressions go through more than {MOST_WORK:,} data points")


def size(value: Value, span: Span | None = None) -> int:
    """Return how many data points a value has; with a `span`, how many it has there without gaps.

    Raises ExpressionProblem where a series has too many.
    """
    several = value if isinstance(value, list) else [value] if isinstance(value, TimeSeries) else []
    return sum([len(one.points if span is None else grid(one, span)) for one in several])


def size_of_both(left: Value, right: Value) -> int:
    """Return about how many data points the result of an operator has: series mostly have the same times."""
    if isinstance(right, list):
        left, right = right, left
    least = size(right)
    return sum([max(size(one), least) for one in left]) if isinstance(left, list) else max(size(left), least)


# -- of each value


def _mapped(of: Callable[[float], float]) -> Callable[[TimeSeries], TimeSeries]:
    return lambda series: series.with_points({time: of(value) for time, value in series.points.items()})


def _log(value: float) -> float:
    return math.log(value) if value > 0 else math.nan


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan


# -- of values that follow each other


def _stepped(of: Callable[[float, float], float]) -> Callable[[TimeSeries], TimeSeries]:
    """Return the function that makes a value of each difference in values and in times."""

    def stepped(series: TimeSeries) -> TimeSeries:
        pairs = list(series.points.items())
        points = {time: of(value - before, time - earlier) for (earlier, before), (time, value) in pairwise(pairs)}
        return series.with_points(points)

    return stepped


def _running_sum(series: TimeSeries) -> TimeSeries:
    total = 0.0
    points = {}
    for time, value in series.points.items():
        total += value
        points[time] = total
    return series.with_points(points)


PER_SERIES: dict[str, Callable[[TimeSeries], TimeSeries]] = {
    "ABS": _mapped(abs),
    # Values are doubles: a protocol may have no whole number as large.
    "CEIL": _mapped(lambda value: float(math.ceil(value))),
    "FLOOR": _mapped(lambda value: float(math.floor(value))),
    "LOG": _mapped(_log),
    "LOG10": _mapped(_log10),
    "DIFF": _stepped(lambda difference, seconds: difference),
    "DIFF_TIME": _stepped(lambda difference, seconds: float(seconds)),
    "RATE": _stepped(lambda difference, seconds: difference / seconds),
    "RUNNING_SUM": _running_sum,
}
"""Make a series of a series, and an array of an array."""


# -- of all values


def _deviation(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum([(value - mean) ** 2 for value in values]) / len(values))


def _finite(reduce: Callable[[list[float]], float]) -> Callable[[list[float]], float]:
    """Return a reduction of which what is too large for a double is no number."""

    def finite(values: list[float]) -> float:
        try:
            return reduce(values)
        except OverflowError:
            return math.nan

    return finite


REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "AVG": _finite(lambda values: math.fsum(values) / len(values)),
    "MAX": max,
    "MIN": min,
    "STDDEV": _finite(_deviation),
    "SUM": _finite(math.fsum),
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}
"""Make a scalar of a series, and a series of an array."""
_OF_NOTHING = {"SUM": 0.0, "DATAPOINT_COUNT": 0.0}


def reduced(name: str, value: Value) -> Value:
    """Return what a reduction makes of a series, over time, or of an array, at each time."""
    reduce = REDUCTIONS[name]
    if isinstance(value, TimeSeries):
        values = list(value.points.values())
        return reduce(values) if values else _OF_NOTHING.get(name, math.nan)
    if not isinstance(value, list):
        raise ExpressionProblem("A time series is expected, and not a scalar")
    if not value:
        return TimeSeries({}, 60)
    at_times: dict[int, list[float]] = {time: [] for time in sorted({time for one in value for time in one.points})}
    for one in value:
        for time, point in one.points.items():
            at_times[time].append(point)
    if name == "AVG":
        points = {time: REDUCTIONS["SUM"](values) / len(value) for time, values in at_times.items()}
    else:
        points = {time: reduce(values) for time, values in at_times.items()}
    return TimeSeries({}, min(one.period for one in value)).with_points(points)


def sort_key(name: str) -> Callable[[TimeSeries], tuple[bool, float]]:
    """Return by what SORT compares series; those without values come last."""

    def key(series: TimeSeries) -> tuple[bool, float]:
        values = list(series.points.values())
        return (True, REDUCTIONS[name](values)) if values else (False, 0.0)

    return key


# -- of times


def _of_time(of: Callable[[datetime], float]) -> Callable[[int], float]:
    return lambda time: float(of(datetime.fromtimestamp(time, UTC)))


TIMES: dict[str, Callable[[int], float]] = {
    "MINUTE": _of_time(lambda moment: moment.minute),
    "HOUR": _of_time(lambda moment: moment.hour),
    "DAY": _of_time(lambda moment: moment.isoweekday()),
    "DATE": _of_time(lambda moment: moment.day),
    "MONTH": _of_time(lambda moment: moment.month),
    "YEAR": _of_time(lambda moment: moment.year),
    "EPOCH": float,
}
"""Make a series without gaps of the times of a series."""


def of_times(name: str, value: Value, span: Span) -> Value:
    """Return the minutes, hours … of the periods of a series."""
    return each(value, lambda one: one.with_points({time: TIMES[name](time) for time in grid(one, span)}))


# -- filling


def filled(series: TimeSeries, filler: float | TimeSeries | str, span: Span) -> TimeSeries:
    """Return a series without the gaps that `filler` fills: a scalar, a series, REPEAT or LINEAR."""
    points = series.points
    times = grid(series, span)
    if filler == "LINEAR":
        return series.with_points(_linear(points, times))
    found: dict[int, float] = {}
    last = math.nan
    for time in times:
        value = points.get(time)
        if value is None:
            if isinstance(filler, TimeSeries):
                value = filler.points.get(time, math.nan)
            elif isinstance(filler, str):
                value = last
            else:
                value = filler
        else:
            last = value
        found[time] = value
    return series.with_points(found)


def _linear(points: dict[int, float], times: Iterable[int]) -> dict[int, float]:
    known = list(points.items())
    found: dict[int, float] = {}
    at = 0
    for time in times:
        while at < len(known) and known[at][0] < time:
            at += 1
        if time in points:
            found[time] = points[time]
        elif 0 < at < len(known):
            (begin, low), (end, high) = known[at - 1], known[at]
            found[time] = low + (high - low) * (time - begin) / (end - begin)
    return found


# -- choosing


def chosen(condition: Value, positive: Value, negative: Value | None) -> Value:
    """Return IF(condition, positive, negative)."""
    if isinstance(condition, list) or isinstance(positive, list) or isinstance(negative, list):
        raise ExpressionProblem("IF takes time series and scalars, and no arrays")
    if not isinstance(condition, TimeSeries):
        picked = positive if condition else negative
        if picked is not None:
            return picked
        return TimeSeries({}, positive.period if isinstance(positive, TimeSeries) else 60)
    points: dict[int, float] = {}
    for time, value in condition.points.items():
        if value:
            points[time] = positive.points.get(time, 0.0) if isinstance(positive, TimeSeries) else positive
        elif isinstance(negative, TimeSeries):
            if time in negative.points:
                points[time] = negative.points[time]
        elif negative is not None:
            points[time] = negative
    return condition.with_points(points)
