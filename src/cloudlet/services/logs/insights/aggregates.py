"""The functions of the command stats. User guide, "stats", "Time-series functions"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
from cloudlet.services.logs.insights.scope import POSITION, Scope
from cloudlet.services.logs.insights.sql import Kind, Sql, once
from cloudlet.services.logs.insights.syntax import Call, Number, Period

_Form = Callable[[Call, Sequence[Sql]], Sql]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """How many arguments a function has, and the SQL of a call."""

    least: int
    most: int
    sql: _Form
    needs_events: bool = False


def named(name: str) -> Aggregate | None:
    """Return the function of a name, which is in small letters. Raises NotBuilt."""
    if name in _UNDEFINED:
        raise NotBuilt(f"the function {name} of stats: AWS does not tell what it gives")
    return _AGGREGATES.get(name)


def sql(aggregate: Aggregate, call: Call, arguments: Sequence[Sql], scope: Scope) -> Sql:
    """Return the SQL of a call. Raises QueryProblem."""
    if not aggregate.least <= len(arguments) <= aggregate.most:
        message = f"{call.name} has {len(arguments)} arguments"
        raise QueryProblem(message, call.span.start, call.span.end)
    for argument in call.arguments:
        if isinstance(argument, Period):
            raise QueryProblem(f"{call.name} takes no length of time", argument.span.start, argument.span.end)
    if aggregate.needs_events and not scope.has_events:
        message = f"{call.name} needs events, which are gone after the first stats"
        raise QueryProblem(message, call.span.start, call.span.end)
    return aggregate.sql(call, arguments)


def _percentile(call: Call, given: Sequence[Sql]) -> Sql:
    share = call.arguments[1]
    if not isinstance(share, Number) or not 0 <= share.value <= 100:
        raise QueryProblem("a percentile is a number from 0 to 100", share.span.start, share.span.end)
    return Sql(f"insights_percentile({given[0].number}, {share.value / 100!r})", Kind.NUMBER)


def _number(function: str) -> _Form:
    return lambda _, given: Sql(f"{function}({given[0].number})", Kind.NUMBER)


def _deviation(_: Call, given: Sequence[Sql]) -> Sql:
    """The deviation of a sample; of numbers whose squares are no numbers any more the engine would make an error."""
    return Sql(f"stddev_samp({once('CASE WHEN abs({0}) < 1e150 THEN {0} END', given[0].number)})", Kind.NUMBER)


def _extreme(function: str) -> _Form:
    """The least or the greatest: of numbers where there are some, else of texts."""

    def found(_: Call, given: Sequence[Sql]) -> Sql:
        value = given[0]
        if value.kind in (Kind.NUMBER, Kind.TIME):
            return Sql(f"{function}({value.text})", value.kind)
        text = value.shown
        return Sql(f"coalesce(arg_{function}({text}, {value.number}), {function}({text}))", Kind.TEXT)

    return found


def _by_time(function: str) -> _Form:
    return lambda _, given: Sql(f"{function}({given[0].text}, row({', '.join(POSITION)}))", given[0].kind)


def _by_order(function: str) -> _Form:
    """The value that comes first, or last, in the order of the command sort."""
    return lambda _, given: Sql(f"{function}({given[0].text}, row({', '.join(_whole(given[0]))}))", given[0].kind)


def _whole(value: Sql) -> list[str]:
    """Return sort keys in which nothing is null, which comparisons of rows pass over."""
    if value.kind in (Kind.NUMBER, Kind.TIME, Kind.TRUTH):
        return list(value.sort_keys)
    is_number, number, natural = value.sort_keys
    return [is_number, f"coalesce({number}, 0)", f"coalesce({natural}, '')"]


def _counted(_: Call, given: Sequence[Sql]) -> Sql:
    counted = given[0].text if given else "*"
    return Sql(f"CAST(count({counted}) AS DOUBLE)", Kind.NUMBER)


_UNDEFINED: Final = frozenset({"histogram", "rate"})
_AGGREGATES: Final = {
    "avg": Aggregate(1, 1, _number("avg")),
    "count": Aggregate(0, 1, _counted),
    "count_distinct": Aggregate(
        1, 1, lambda _, given: Sql(f"CAST(count(DISTINCT {given[0].shown}) AS DOUBLE)", Kind.NUMBER)
    ),
    "count_over_time": Aggregate(0, 1, _counted),
    "countovertime": Aggregate(0, 1, _counted),
    "earliest": Aggregate(1, 1, _by_time("arg_min"), needs_events=True),
    "latest": Aggregate(1, 1, _by_time("arg_max"), needs_events=True),
    "max": Aggregate(1, 1, _extreme("max")),
    "min": Aggregate(1, 1, _extreme("min")),
    "pct": Aggregate(2, 2, _percentile),
    "sortsfirst": Aggregate(1, 1, _by_order("arg_min")),
    "sortslast": Aggregate(1, 1, _by_order("arg_max")),
    "stddev": Aggregate(1, 1, _deviation),
    "sum": Aggregate(1, 1, _number("sum")),
    "sum_over_time": Aggregate(1, 1, _number("sum")),
    "sumovertime": Aggregate(1, 1, _number("sum")),
}
