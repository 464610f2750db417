"""Statistics of a metric over a span of time: one value for each period that has values.

API reference, "GetMetricData" and "GetMetricStatistics": periods follow each other from the start of the span, which is
rounded down to what is kept of that time. Cells are read some at a time, so that nobody waits for all of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Sequence
from math import ceil, gcd
from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.background.workers import offload_if
from cloudlet.services.cloudwatch import directory, storage
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.columns import Columns
from cloudlet.services.cloudwatch.gathering import Gathering
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.services.cloudwatch.statistic import Statistic
from cloudlet.services.cloudwatch.storage import DAY, HOUR, RETENTION

_SUB_MINUTE = (1, 5, 10, 20, 30)
_AT_ONCE = 5000
"""Cells that are read in one transaction, and looked at in the event loop; more, or of several units, beside it."""
_WITH_VALUES_AT_ONCE = 100
"""Of which each may have 512 different values."""
_QUICK_VALUES = 1000
"""So many are gathered within a millisecond; more, beside the event loop."""

ByUnit = dict[int, Columns]
"""Cells by the units of their values."""


class Asked(NamedTuple):
    """What is asked for of a metric: of values with a unit, or of all (None), in the periods of a span of time."""

    metric: Metric
    unit: int | None
    period: int
    start: int
    """When periods begin, in seconds since the epoch."""
    end: float

    @property
    def resolution(self) -> int:
        return resolution_for(self.period, self.start)

    @property
    def last(self) -> int:
        """When the last period ends: with the span, or after it."""
        return self.start + max(0, ceil((self.end - self.start) / self.period)) * self.period


class Datapoints(NamedTuple):
    """The periods that have values: when each begins, how many it has, and each statistic of them."""

    times: list[int]
    samples: list[float]
    values: list[list[float | None]]
    """By statistic; None where there is no such thing."""

    def series(self) -> dict[int, float]:
        """Return the first statistic by time, where there is such a thing."""
        return {time: value for time, value in zip(self.times, self.values[0], strict=True) if value is not None}


def is_period(period: int) -> bool:
    """Whether statistics can be had of periods of so many seconds."""
    return period in _SUB_MINUTE or (period > 0 and period % 60 == 0)


def rounded_start(start: float, period: int, now: float) -> int:
    """Return where periods begin, for a span from `start` on."""
    age = now - start
    if period < 60 and age <= RETENTION[1]:
        step = period
    elif age <= RETENTION[60]:
        step = 60
    else:
        step = 300 if age <= 63 * DAY else HOUR
    return int(start // step) * step


def resolution_for(period: int, start: int) -> int:
    """Return the coarsest resolution of which periods from `start` on are made."""
    if period < 60:
        return 1
    common = gcd(period, start)
    return next((resolution for resolution in (3600, 300, 60) if common % resolution == 0), 1)


def periods_of(columns: Columns, period: int, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield the beginning of each period that has cells, and the range of their indices."""
    times = columns.times
    first = 0
    while first < len(times):
        begin = start + (times[first] - start) // period * period
        last = first + 1
        if last < len(times) and times[last] < begin + period:
            last = bisect_left(times, begin + period, last)
        yield begin, first, last
        first = last


# -- what is read


async def columns_of(asker: Asker, asked: Asked) -> ByUnit:
    """Return the cells of which periods are made, without their different values."""
    found: ByUnit = {}
    async for piece in _pieces(asker, asked, values=False):
        for unit, columns in piece.items():
            if unit in found:
                found[unit].extend(columns)
            else:
                found[unit] = columns
    return found


async def _pieces(asker: Asker, asked: Asked, *, values: bool) -> AsyncIterator[ByUnit]:
    """Yield the cells of which periods are made, some at a time, in the order of time."""
    resolution = asked.resolution
    step = (_WITH_VALUES_AT_ONCE if values else _AT_ONCE) * resolution
    begin, end = asked.start, asked.last
    if end - begin > step:
        begin, end = await asker.store.transact(lambda tx: _extent(tx, asker, asked))
    for first in range(begin, end, step):
        last = min(first + step, end)

        async def piece(tx: Transaction, first: int = first, last: int = last) -> ByUnit:
            return {
                stream.unit: await storage.read(tx, stream, resolution, first, last, asker.now, values=values)
                for stream in await directory.streams(tx, asked.metric, asked.unit)
            }

        yield await asker.store.transact(piece)


async def _extent(tx: Transaction, asker: Asker, asked: Asked) -> tuple[int, int]:
    """Return from when to when there are cells at all, so that no time is looked through where there are none."""
    resolution = asked.resolution
    oldest = (int(asker.now) - RETENTION[resolution]) // resolution * resolution
    begin, end = max(asked.start, oldest), asked.last
    extents = [
        await storage.extent(tx, stream, resolution, begin, end)
        for stream in await directory.streams(tx, asked.metric, asked.unit)
    ]
    return min([first for first, _ in extents], default=end), max([last for _, last in extents], default=begin)


# -- what it comes to


async def datapoints(asker: Asker, asked: Asked, statistics: Sequence[Statistic]) -> Datapoints:
    """Return statistics of the values of a metric, of all units together: all of them need the values, or none does."""
    if not statistics[0].needs_values:
        found = list((await columns_of(asker, asked)).values())
        is_much = len(found) > 1 or sum([len(columns.times) for columns in found]) > _AT_ONCE
        return await offload_if(is_much, asker.account, _plain, found, statistics, asked)
    periods = _Periods(statistics, asked)
    async for piece in _pieces(asker, asked, values=True):
        found = list(piece.values())
        kept = [cell.values for columns in found for cell in columns.values.values() if cell.values is not None]
        is_much = periods.has_much or sum(map(len, kept)) > _QUICK_VALUES
        await offload_if(is_much, asker.account, periods.take, found)
    return await offload_if(periods.has_much, asker.account, periods.end)


def _plain(parts: list[Columns], statistics: Sequence[Statistic], asked: Asked) -> Datapoints:
    columns = _together(parts)
    if asked.period == asked.resolution:
        each: list[list[float | None]] = [[*one.of_each(columns)] for one in statistics if one.of_each is not None]
        return Datapoints(columns.times.tolist(), columns.counts.tolist(), each)
    found = Datapoints([], [], [[] for _ in statistics])
    for begin, first, last in periods_of(columns, asked.period, asked.start):
        found.times.append(begin)
        found.samples.append(sum(columns.counts[first:last]))
        for statistic, values in zip(statistics, found.values, strict=True):
            values.append(statistic.of(columns, first, last))
    return found


def _together(parts: list[Columns]) -> Columns:
    """Return cells of values with several units, which count together."""
    whole, *others = parts or [Columns()]
    for other in others:
        for at, time in enumerate(other.times):
            whole.add(time, other.cell(at))
    return whole


class _Periods:
    """Statistics that need the values themselves, of cells that come some at a time: none is kept for longer."""

    def __init__(self, statistics: Sequence[Statistic], asked: Asked) -> None:
        self._asked = asked
        self._of = [statistic.of_values for statistic in statistics if statistic.of_values is not None]
        self._found = Datapoints([], [], [[] for _ in self._of])
        self._begin = 0
        self._open: Gathering | None = None
        """The values of the period that begins then, of which more may come."""

    @property
    def has_much(self) -> bool:
        return self._open is not None and self._open.different > _QUICK_VALUES

    def take(self, parts: list[Columns]) -> None:
        """Take the next cells, of one unit or several."""
        columns = _together(parts)
        for begin, first, last in periods_of(columns, self._asked.period, self._asked.start):
            if self._open is None or begin != self._begin:
                self.end()
                self._begin, self._open = begin, Gathering()
            self._open.add(columns, first, last)

    def end(self) -> Datapoints:
        """Return what there is once all cells have come."""
        gathered, self._open = self._open, None
        if gathered is not None:
            cell = gathered.cell()
            self._found.times.append(self._begin)
            self._found.samples.append(cell.count)
            for of, values in zip(self._of, self._found.values, strict=True):
                values.append(of(cell))
        return self._found
