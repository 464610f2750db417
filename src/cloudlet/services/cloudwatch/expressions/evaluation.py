"""Computes an expression over the series of a request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cloudlet.services.cloudwatch.expressions import functions
from cloudlet.services.cloudwatch.expressions.functions import (
    PER_SERIES,
    REDUCTIONS,
    TIMES,
    Span,
    Work,
    size,
    size_of_both,
)
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt
from cloudlet.services.cloudwatch.expressions.series import TimeSeries, Value, combine, each, negative
from cloudlet.services.cloudwatch.expressions.syntax import Array, Call, Name, Negation, Node, Number, Operation, Text

NOT_BUILT = ("ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA")
MOST_SERIES = 1000
"""Of an array: 500 metrics of the request, and as many that were searched for."""
_SORTED_BY = ("AVG", "MIN", "MAX", "SUM")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an expression can refer to."""

    span: Span
    period: int
    """Of a series that is made of a scalar."""
    metrics: Mapping[str, TimeSeries]
    """The series of the request that are no expressions' results, by their ids."""
    lookup: Callable[[str], Value]
    """Returns the value of an id; raises ExpressionProblem where there is none."""
    found: Mapping[Call, list[TimeSeries]]
    """What each SEARCH has found."""
    work: Work = field(default_factory=Work)
    """What all expressions of the request have gone through."""


def evaluate(node: Node, around: Surroundings) -> Value:
    """Return the value of an expression. Raises ExpressionProblem and NotBuilt."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return around.lookup(node.name)
    if isinstance(node, Negation):
        operand = evaluate(node.operand, around)
        around.work.take(size(operand))
        return negative(operand)
    if isinstance(node, Operation):
        return _operation(node, around)
    if isinstance(node, Array):
        return _array(node, around)
    if isinstance(node, Text):
        raise ExpressionProblem(f"A string cannot be a value: '{node.value}'")
    return _call(node, around)


def _operation(node: Operation, around: Surroundings) -> Value:
    """Compute a chain such as `m1 + m2 - m3` from the left: it may be longer than calls can be nested."""
    chain = [node]
    while isinstance(chain[-1].left, Operation):
        chain.append(chain[-1].left)
    value = evaluate(chain[-1].left, around)
    for one in reversed(chain):
        right = evaluate(one.right, around)
        around.work.take(size_of_both(value, right))
        value = combine(one.operator, value, right)
    return value


def _array(node: Array, around: Surroundings) -> list[TimeSeries]:
    items: list[TimeSeries] = []
    for item in node.items:
        value = evaluate(item, around)
        if isinstance(value, TimeSeries):
            items.append(value)
        elif isinstance(value, list):
            items += value
        else:
            raise ExpressionProblem("An array has time series, and no scalars")
        if len(items) > MOST_SERIES:
            raise ExpressionProblem(f"An array has {MOST_SERIES:,} time series at most")
    return items


def _call(node: Call, around: Surroundings) -> Value:
    name = node.function
    if name in NOT_BUILT:
        raise NotBuilt(f"the function {name} of metric math")
    special = _SPECIAL.get(name)
    if special is not None:
        least, most, function = special
        if not least <= len(node.arguments) <= most:
            raise _wrong_count(name)
        return function(node, around)
    if name not in PER_SERIES and name not in REDUCTIONS and name not in TIMES:
        raise ExpressionProblem(f"Unsupported function {name}")
    if len(node.arguments) != 1:
        raise _wrong_count(name)
    value = evaluate(node.arguments[0], around)
    around.work.take(size(value, around.span if name in TIMES else None))
    if name in PER_SERIES:
        return each(value, PER_SERIES[name])
    if name in REDUCTIONS:
        return functions.reduced(name, value)
    return functions.of_times(name, value, around.span)


def _wrong_count(name: str) -> ExpressionProblem:
    return ExpressionProblem(f"Invalid number of arguments for the function {name}")


def _several(node: Node, around: Surroundings) -> list[TimeSeries]:
    value = evaluate(node, around)
    if isinstance(value, list):
        return value
    if isinstance(value, TimeSeries):
        return [value]
    raise ExpressionProblem("An array of time series is expected, and not a scalar")


def _scalar(node: Node, around: Surroundings) -> float:
    value = evaluate(node, around)
    if isinstance(value, TimeSeries | list):
        raise ExpressionProblem("A scalar is expected, and not a time series")
    return value


def _index(node: Node, around: Surroundings) -> int:
    value = _scalar(node, around)
    if not math.isfinite(value) or value < 0 or value != int(value):
        raise ExpressionProblem(f"{value:g} is not a whole number from 0 on")
    return int(value)


def _fill(node: Call, around: Surroundings) -> Value:
    value = evaluate(node.arguments[0], around)
    option = node.arguments[1]
    filler: float | TimeSeries | str
    if isinstance(option, Name) and option.name in ("REPEAT", "LINEAR"):
        filler = option.name
    else:
        given = evaluate(option, around)
        if isinstance(given, list):
            raise ExpressionProblem("FILL takes a scalar, a time series, REPEAT or LINEAR")
        filler = given
    around.work.take(size(value, around.span))
    return each(value, lambda one: functions.filled(one, filler, around.span))


def _if(node: Call, around: Surroundings) -> Value:
    values = [evaluate(argument, around) for argument in node.arguments]
    around.work.take(size(values[0]))
    return functions.chosen(values[0], values[1], values[2] if len(values) > 2 else None)


def _metrics(node: Call, around: Surroundings) -> Value:
    part = ""
    if node.arguments:
        (argument,) = node.arguments
        if not isinstance(argument, Text):
            raise ExpressionProblem("METRICS takes a string")
        part = argument.value
    return [series for id, series in around.metrics.items() if part in id]


def _period(node: Call, around: Surroundings) -> Value:
    (argument,) = node.arguments
    if not isinstance(argument, Name) or argument.name not in around.metrics:
        raise ExpressionProblem("PERIOD takes a metric, and not the result of an expression")
    return float(around.metrics[argument.name].period)


def _edge(at: int) -> Callable[[Call, Surroundings], Value]:
    def edge(node: Call, around: Surroundings) -> Value:
        several = _several(node.arguments[0], around)
        return several[at] if several else TimeSeries({}, around.period)

    return edge


def _slice(node: Call, around: Surroundings) -> Value:
    several = _several(node.arguments[0], around)
    first, *rest = (_index(argument, around) for argument in node.arguments[1:])
    return several[first : rest[0]] if rest else several[first:]


def _sort(node: Call, around: Surroundings) -> Value:
    several = _several(node.arguments[0], around)
    by, order = (argument.name if isinstance(argument, Name) else "" for argument in node.arguments[1:3])
    if by not in _SORTED_BY or order not in ("ASC", "DESC"):
        raise ExpressionProblem("SORT takes AVG, MIN, MAX or SUM, and then ASC or DESC")
    key = functions.sort_key(by)
    around.work.take(size(several))
    with_values = [one for one in several if one.points]
    ordered = sorted(with_values, key=key, reverse=order == "DESC") + [one for one in several if not one.points]
    return ordered[: _index(node.arguments[3], around)] if len(node.arguments) > 3 else ordered


def _time_series(node: Call, around: Surroundings) -> Value:
    value = _scalar(node.arguments[0], around)
    empty = TimeSeries({}, around.period)
    times = functions.grid(empty, around.span)
    around.work.take(len(times))
    return empty.with_points(dict.fromkeys(times, value))


_SPECIAL: dict[str, tuple[int, int, Callable[[Call, Surroundings], Value]]] = {
    "FILL": (2, 2, _fill),
    "FIRST": (1, 1, _edge(0)),
    "IF": (2, 3, _if),
    "LAST": (1, 1, _edge(-1)),
    "METRICS": (0, 1, _metrics),
    "METRIC_COUNT": (1, 1, lambda node, around: float(len(_several(node.arguments[0], around)))),
    "PERIOD": (1, 1, _period),
    "REMOVE_EMPTY": (1, 1, lambda node, around: [one for one in _several(node.arguments[0], around) if one.points]),
    "SEARCH": (2, 3, lambda node, around: list(around.found[node])),
    "SLICE": (2, 3, _slice),
    "SORT": (3, 4, _sort),
    "TIME_SERIES": (1, 1, _time_series),
}
"""Functions by how many arguments they take, from and to."""
