"""Statistics of a metric over a span of time: one value for each period that has values.

API reference, "GetMetricData" and "GetMetricStatistics": periods follow each other from the start of the span, which is
rounded down to what is kept of that time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import ceil, gcd

from cloudlet.core import Transaction
from cloudlet.services.cloudwatch import storage
from cloudlet.services.cloudwatch.columns import Columns
from cloudlet.services.cloudwatch.statistic import Statistic
from cloudlet.services.cloudwatch.storage import DAY, HOUR, RETENTION, Stream

_SUB_MINUTE = (1, 5, 10, 20, 30)


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


async def columns_of(
    tx: Transaction, stream: Stream, period: int, start: int, end: float, now: float, *, values: bool
) -> Columns:
    """Return the cells of which the periods of a span are made; the last period ends with the span, or after it."""
    last = start + max(0, ceil((end - start) / period)) * period
    return await storage.read(tx, stream, resolution_for(period, start), start, last, now, values=values)


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


def values_of(columns: Columns, statistic: Statistic, period: int, start: int) -> tuple[list[int], list[float]]:
    """Return the times and the values of a statistic."""
    if statistic.of_each is not None and period == resolution_for(period, start):
        return columns.times.tolist(), statistic.of_each(columns)
    times: list[int] = []
    values: list[float] = []
    for begin, first, last in periods_of(columns, period, start):
        value = statistic.of(columns, first, last)
        if value is not None:
            times.append(begin)
            values.append(value)
    return times, values
