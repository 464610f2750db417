"""The times of queries, and those that `diff` compares with each other.

User guide, "Compare (diff) with previous time ranges".
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cloudlet.services.logs.insights.syntax import Before

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = {Before.DAY: 1, Before.WEEK: 7}
_DAY_MILLIS = 86_400_000
_LATEST = 253_402_300_799_999
"""The end of the year 9999: later there are no months, and no events either."""


class Asked(NamedTuple):
    """When a query was asked, in seconds since the epoch, and of which time, in milliseconds."""

    now: int
    start: int
    end: int


def of(start: int, end: int, before: Before | None) -> tuple[int, int]:
    """Return a time, or an earlier one that is as long: its first millisecond since the epoch and its last."""
    match before:
        case None:
            back = 0
        case Before.PERIOD:
            back = end + 1 - start
        case Before.MONTH:
            back = start - _month_before(start)
        case _:
            back = _DAYS[before] * _DAY_MILLIS
    return max(start - back, 0), max(end - back, 0)


def _month_before(time: int) -> int:
    """Return the same time of the month before (UTC); of its last day, where it has less days."""
    moment = _EPOCH + timedelta(milliseconds=min(time, _LATEST))
    last = moment.replace(day=1) - timedelta(days=1)
    found = last.replace(day=min(moment.day, monthrange(last.year, last.month)[1]))
    return (found - _EPOCH) // timedelta(milliseconds=1)
