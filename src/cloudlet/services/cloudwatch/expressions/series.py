"""Time series, and the operators over them and scalars."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem


@dataclass(frozen=True, slots=True)
class Source:
    """Which metric a series is of, for labels."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    account: str
    region: str


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Values by time, in the order of time. Times and periods are in seconds."""

    points: dict[int, float]
    period: int
    label: str = ""
    source: Source | None = field(default=None, compare=False)

    def with_points(self, points: dict[int, float]) -> TimeSeries:
        """Return the series with other values; what is no number is dropped."""
        return replace(self, points={time: value for time, value in points.items() if math.isfinite(value)})


Value = float | TimeSeries | list[TimeSeries]
Function = Callable[[float, float], float]


def _divide(one: float, other: float) -> float:
    return one / other if other else math.nan


def _power(one: float, other: float) -> float:
    try:
        result: Any = one**other
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return math.nan if isinstance(result, complex) else result


def _truth(holds: Callable[[float, float], bool]) -> Function:
    return lambda one, other: 1.0 if holds(one, other) else 0.0


OPERATORS: dict[str, Function] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "==": _truth(operator.eq),
    "!=": _truth(operator.ne),
    "<": _truth(operator.lt),
    "<=": _truth(operator.le),
    ">": _truth(operator.gt),
    ">=": _truth(operator.ge),
    "AND": _truth(lambda one, other: bool(one and other)),
    "OR": _truth(lambda one, other: bool(one or other)),
}


def combine(symbol: str, left: Value, right: Value) -> Value:
    """Return the result of an operator. A series that has no value at a time of another one counts as 0 there.

    Raises ExpressionProblem for two arrays.
    """
    if isinstance(left, list):
        if isinstance(right, list):
            raise ExpressionProblem(f"Unsupported operand types for {symbol}: two arrays of time series")
        return [_of_pair(symbol, one, right) for one in left]
    if isinstance(right, list):
        return [_of_pair(symbol, left, one, label_of=one) for one in right]
    if isinstance(left, TimeSeries) or isinstance(right, TimeSeries):
        return _of_pair(symbol, left, right)
    return OPERATORS[symbol](left, right)


def _of_pair(
    symbol: str, left: float | TimeSeries, right: float | TimeSeries, label_of: TimeSeries | None = None
) -> TimeSeries:
    function = OPERATORS[symbol]
    if isinstance(left, TimeSeries) and isinstance(right, TimeSeries):
        one, other = left.points, right.points
        times = list(one) if one.keys() == other.keys() else sorted(one.keys() | other.keys())
        points = {time: function(one.get(time, 0.0), other.get(time, 0.0)) for time in times}
        return replace(label_of or left, period=min(left.period, right.period)).with_points(points)
    if isinstance(left, TimeSeries):
        assert not isinstance(right, TimeSeries)  # noqa: S101 - for the type checker
        return left.with_points({time: function(value, right) for time, value in left.points.items()})
    assert isinstance(right, TimeSeries)  # noqa: S101 - for the type checker: combine is called with one at least
    return right.with_points({time: function(left, value) for time, value in right.points.items()})


def negative(value: Value) -> Value:
    """Return a value with its sign turned."""
    return each(value, lambda one: one.with_points({time: -point for time, point in one.points.items()}), operator.neg)


def each(value: Value, of: Callable[[TimeSeries], TimeSeries], scalar: Callable[[float], float] | None = None) -> Value:
    """Return what a function makes of a series, or of each of several. Raises ExpressionProblem for scalars."""
    if isinstance(value, list):
        return [of(one) for one in value]
    if isinstance(value, TimeSeries):
        return of(value)
    if scalar is None:
        raise ExpressionProblem("A time series is expected, and not a scalar")
    return scalar(value)
