"""Statistics. User guide, "CloudWatch statistics definitions".

A statistic is a name (`Average`, `p99.9`, `TM(10%:90%)`) and what it is of some cells. All but the first five need
the values themselves, and are not there for metrics with negative ones.

Shares of values are taken by rank: p90 of ten values is the ninth, and tm90 is the mean of the first nine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from operator import truediv
from typing import NamedTuple

from cloudlet.services.cloudwatch import cell as cells
from cloudlet.services.cloudwatch.cell import Cell
from cloudlet.services.cloudwatch.columns import Columns
from cloudlet.services.cloudwatch.gathering import Gathering

_PERCENT = r"(?:\d{1,2}(?:\.\d{0,10})?|100(?:\.0{0,10})?)"
_NUMBER = r"[+-]?\d+(?:\.\d*)?(?:[Ee][+-]?\d+)?"
_SHORT = re.compile(rf"(p|tm|tc|ts|wm)({_PERCENT})")
_RANGE_OF_PERCENTS = re.compile(rf"(TM|TC|TS|WM)\((?:({_PERCENT})%)?:(?:({_PERCENT})%)?\)")
_RANGE_OF_VALUES = re.compile(rf"(TM|TC|TS|WM|PR)\(({_NUMBER})?:({_NUMBER})?\)")
_CLOSE = 9
"""Decimals to which ranks are rounded: 0.1 * 30 is to be 3."""


class Bounds(NamedTuple):
    """Where values count: between two percentages of them, or above one value and up to another."""

    low: float | None
    high: float | None
    percent: bool


class Statistic(NamedTuple):
    """A statistic as it was asked for."""

    name: str
    of: Callable[[Columns, int, int], float | None]
    """What it is of the cells in a range of indices; None where there is no such thing."""
    needs_values: bool
    percentile: float | None = None
    """For p99: 99."""
    of_values: Callable[[Cell], float | None] | None = None
    """What it is of a cell, where it needs the values."""
    of_each: Callable[[Columns], list[float]] | None = None
    """What it is of each cell, where that is to be had of all at once."""


class UnknownStatistic(ValueError):
    """A name that no statistic has."""


@lru_cache(maxsize=1000)
def parse(name: str) -> Statistic:
    """Return the statistic of a name. Raises UnknownStatistic."""
    if name in _PLAIN:
        return Statistic(name, _PLAIN[name], needs_values=False, of_each=_PLAIN_OF_EACH[name])
    if name.upper() == "IQM":
        return _extended(name, "TM", Bounds(25.0, 75.0, percent=True))
    if match := _SHORT.fullmatch(name):
        share = float(match[2])
        if match[1] == "p":
            return _of_known(name, lambda cell: percentile(cell, share), share)
        return _extended(name, match[1].upper(), Bounds(None, share, percent=True))
    if match := _RANGE_OF_PERCENTS.fullmatch(name):
        return _ranged(name, match, percent=True)
    if match := _RANGE_OF_VALUES.fullmatch(name):
        return _ranged(name, match, percent=False)
    raise UnknownStatistic(name)


def _ranged(name: str, match: re.Match[str], *, percent: bool) -> Statistic:
    low, high = (None if bound is None else float(bound) for bound in (match[2], match[3]))
    if (low is None and high is None) or (low is not None and high is not None and low >= high):
        raise UnknownStatistic(name)
    return _extended(name, match[1], Bounds(low, high, percent))


def _extended(name: str, kind: str, bounds: Bounds) -> Statistic:
    of = _EXTENDED[kind]
    return _of_known(name, lambda cell: of(cell, bounds))


def _of_known(name: str, of: Callable[[Cell], float | None], share: float | None = None) -> Statistic:
    """Return the statistic that is something of cells whose values are known, and none of them negative."""

    def of_values(cell: Cell) -> float | None:
        return of(cell) if cell.is_known and cell.low >= 0 else None

    def of_columns(columns: Columns, first: int, last: int) -> float | None:
        together = Gathering()
        together.add(columns, first, last)
        return of_values(together.cell())

    return Statistic(name, of_columns, needs_values=True, percentile=share, of_values=of_values)


_PLAIN: dict[str, Callable[[Columns, int, int], float | None]] = {
    "SampleCount": lambda columns, first, last: sum(columns.counts[first:last]),
    "Sum": lambda columns, first, last: math.fsum(columns.totals[first:last]),
    "Average": lambda columns, first, last: math.fsum(columns.totals[first:last]) / sum(columns.counts[first:last]),
    "Minimum": lambda columns, first, last: min(columns.lows[first:last]),
    "Maximum": lambda columns, first, last: max(columns.highs[first:last]),
}

_PLAIN_OF_EACH: dict[str, Callable[[Columns], list[float]]] = {
    "SampleCount": lambda columns: columns.counts.tolist(),
    "Sum": lambda columns: columns.totals.tolist(),
    "Average": lambda columns: list(map(truediv, columns.totals, columns.counts)),
    "Minimum": lambda columns: columns.lows.tolist(),
    "Maximum": lambda columns: columns.highs.tolist(),
}


# -- of a cell with its values


def percentile(cell: Cell, share: float) -> float:
    """Return the lowest value such that so many percent of the values are not above it."""
    values, counts = cells.distribution(cell)
    rank = round(cell.count * share / 100, _CLOSE)
    below = 0.0
    for value, count in zip(values, counts, strict=True):
        below += count
        if round(below, _CLOSE) >= rank:
            return value
    return values[-1]


def _kept(cell: Cell, bounds: Bounds) -> tuple[float, float]:
    """Return how many values are within the bounds, and their sum."""
    values, counts = cells.distribution(cell)
    if not bounds.percent:
        low = -math.inf if bounds.low is None else bounds.low
        high = math.inf if bounds.high is None else bounds.high
        within = [(value, count) for value, count in zip(values, counts, strict=True) if low < value <= high]
        return sum([count for _, count in within]), math.fsum(value * count for value, count in within)
    first = math.floor(round(cell.count * (bounds.low or 0.0) / 100, _CLOSE))
    last = math.ceil(round(cell.count * (100.0 if bounds.high is None else bounds.high) / 100, _CLOSE))
    kept, parts, below = 0.0, [], 0.0
    for value, count in zip(values, counts, strict=True):
        share = min(below + count, last) - max(below, first)
        below += count
        if share > 0:
            kept += share
            parts.append(value * share)
    return kept, math.fsum(parts)


def _trimmed_mean(cell: Cell, bounds: Bounds) -> float | None:
    count, total = _kept(cell, bounds)
    return total / count if count else None


def _winsorized_mean(cell: Cell, bounds: Bounds) -> float | None:
    low, high = bounds.low, bounds.high
    if bounds.percent:
        low = None if low is None else percentile(cell, low)
        high = None if high is None else percentile(cell, high)
    total = 0.0
    for value, count in zip(*cells.distribution(cell), strict=True):
        if low is not None:
            value = max(value, low)
        if high is not None:
            value = min(value, high)
        total += value * count
    return total / cell.count


_EXTENDED: dict[str, Callable[[Cell, Bounds], float | None]] = {
    "TM": _trimmed_mean,
    "TC": lambda cell, bounds: _kept(cell, bounds)[0],
    "TS": lambda cell, bounds: _kept(cell, bounds)[1],
    "WM": _winsorized_mean,
    "PR": lambda cell, bounds: 100 * _kept(cell, bounds)[0] / cell.count,
}
