"""From when to when a statement looks at events at all: the rest of a store need not be read.

User guide, "Optimize CloudTrail Lake queries": queries are to be bounded by `eventTime`. Only what is plain is
understood, conditions of the one SELECT of a statement that compare `eventTime` with a time; the statement itself
decides what it finds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlglot import exp

_COLUMN = "eventtime"


class TimeRange(NamedTuple):
    """begin <= time <= end, in whole seconds since the epoch; None where there is no bound."""

    begin: int | None = None
    end: int | None = None

    def within(self, other: TimeRange) -> TimeRange:
        """Return what is in both."""
        begins = [each for each in (self.begin, other.begin) if each is not None]
        ends = [each for each in (self.end, other.end) if each is not None]
        return TimeRange(max(begins, default=None), min(ends, default=None))


def of(parsed: exp.Expr) -> TimeRange:
    """Return the time range of a statement, which may be wider than it would have to be."""
    from sqlglot import exp

    where = parsed.args.get("where")
    if len(list(parsed.find_all(exp.Query))) != 1 or len(list(parsed.find_all(exp.Table))) != 1 or where is None:
        return TimeRange()
    found = TimeRange()
    parts = [where.this]
    while parts:
        part = parts.pop().unnest()
        if isinstance(part, exp.And):
            parts += [part.left, part.right]
        else:
            found = found.within(_of_condition(part))
    return found


def _of_condition(part: exp.Expr) -> TimeRange:
    from sqlglot import exp

    column = part.this
    if not isinstance(column, exp.Column) or column.name.lower() != _COLUMN:
        return TimeRange()
    if isinstance(part, exp.Between):
        low, high = _seconds(part.args["low"]), _seconds(part.args["high"])
        return TimeRange(None if low is None else ceil(low), None if high is None else floor(high))
    moment = _seconds(part.args.get("expression"))
    if moment is None:
        return TimeRange()
    # Events have times in whole seconds.
    match part:
        case exp.GT():
            return TimeRange(begin=floor(moment) + 1)
        case exp.GTE():
            return TimeRange(begin=ceil(moment))
        case exp.LT():
            return TimeRange(end=ceil(moment) - 1)
        case exp.LTE():
            return TimeRange(end=floor(moment))
    return TimeRange()


def _seconds(value: exp.Expr | None) -> float | None:
    """Return the time that is written down, in seconds since the epoch; None for anything else."""
    from sqlglot import exp

    if isinstance(value, exp.Cast) and value.to.this in (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.DATE):
        value = value.this
    if not isinstance(value, exp.Literal) or not value.is_string:
        return None
    try:
        moment = datetime.fromisoformat(value.name)
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
