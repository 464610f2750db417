"""Schedule expressions: rate(value unit) and cron(minutes hours day-of-month month day-of-week year).

EventBridge's user guide, "Setting a schedule pattern for scheduled rules"; for time zones EventBridge Scheduler's,
"Schedule types": what falls into the hour that a change of the clocks leaves out does not run, and what falls into the
one that comes twice runs the first time only.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TypeAlias

_RATE = re.compile(r"rate\((\d{1,10}) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((.+)\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LAST_YEAR = 2199
_END = datetime(_LAST_YEAR + 1, 1, 2, tzinfo=UTC).timestamp()
"""From here on it is later than the last year everywhere."""
_SATURDAY = 7
Days: TypeAlias = "Callable[[date], bool]"
Schedule: TypeAlias = "Callable[[float], float | None]"
"""Returns the first moment after another one, both in seconds since the epoch; None where there is none."""


@lru_cache(1024)
def parse(text: str, zone: tzinfo = UTC) -> Schedule:
    """Return a schedule, of which cron is in a time zone. Raises ValueError."""
    rate, cron = _RATE.fullmatch(text), _CRON.fullmatch(text)
    if rate is not None:
        value = int(rate[1])
        if value < 1 or (value == 1) != (rate[3] == ""):
            raise ValueError(text)
        seconds = value * _SECONDS[rate[2]]
        return lambda after: after + seconds
    if cron is None:
        raise ValueError(text)
    return _cron(cron[1].split(), zone)


def _cron(fields: Sequence[str], zone: tzinfo) -> Schedule:
    if len(fields) != 6:
        raise ValueError("a cron expression has six fields")
    minutes = sorted(_numbers(fields[0], 0, 59))
    hours = sorted(_numbers(fields[1], 0, 23))
    months = _numbers(fields[3], 1, 12, _MONTHS)
    years = _numbers(fields[5], 1970, _LAST_YEAR)
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError("one of day-of-month and day-of-week is a question mark")
    days = _days_of_month(fields[2]) if fields[4] == "?" else _days_of_week(fields[4])

    def times(start: datetime) -> Iterator[datetime]:
        """Yield the times from one on, all without a zone."""
        day = start.date()
        while day.year <= _LAST_YEAR:
            if day.year not in years:
                later = [year for year in years if year > day.year]
                if not later:
                    return
                day = date(min(later), 1, 1)
            elif day.month not in months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            else:
                if days(day):
                    begin = (start.hour, start.minute) if day == start.date() else (0, 0)
                    for hour in hours:
                        for minute in minutes:
                            if (hour, minute) >= begin:
                                yield datetime(day.year, day.month, day.day, hour, minute)
                day += timedelta(days=1)

    def following(after: float) -> float | None:
        if after >= _END:
            return None
        begin = datetime.fromtimestamp(int(after // 60) * 60, zone).replace(tzinfo=None) + timedelta(minutes=1)
        for time in times(begin):
            moment = time.replace(tzinfo=zone).timestamp()
            if moment > after and datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == time:
                return moment
        return None

    return following


def _number(text: str, low: int, high: int, names: Sequence[str] = ()) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + low
    if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
        raise ValueError(text)
    return int(text)


def _numbers(field: str, low: int, high: int, names: Sequence[str] = ()) -> frozenset[int]:
    """Return the numbers that a field of lists, ranges, steps and asterisks stands for."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        begin, dash, end = span.partition("-")
        if span == "*":
            first, last = low, high
        else:
            first = _number(begin, low, high, names)
            last = _number(end, low, high, names) if dash else high if slash else first
        if first > last:
            # FRI-MON goes around the end of the week.
            last += high - low + 1
        numbers = range(first, last + 1, _number(step, 1, high) if slash else 1)
        found.update((number - low) % (high - low + 1) + low for number in numbers)
    return frozenset(found)


def _days_of_month(field: str) -> Days:
    if field == "L":
        return lambda day: day.day == _length(day)
    if field == "LW":
        return lambda day: day.day == _nearest_weekday(day, _length(day))
    if field.endswith("W"):
        wanted = _number(field[:-1], 1, 31)
        return lambda day: wanted <= _length(day) and day.day == _nearest_weekday(day, wanted)
    numbers = _numbers(field, 1, 31)
    return lambda day: day.day in numbers


def _days_of_week(field: str) -> Days:
    if field == "L":
        return lambda day: _weekday(day) == _SATURDAY
    if field.endswith("L"):
        last = _number(field[:-1], 1, 7, _WEEKDAYS)
        return lambda day: _weekday(day) == last and day.day + 7 > _length(day)
    weekday, hash, week = field.partition("#")
    if hash:
        wanted, number = _number(weekday, 1, 7, _WEEKDAYS), _number(week, 1, 5)
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == number
    numbers = _numbers(field, 1, 7, _WEEKDAYS)
    return lambda day: _weekday(day) in numbers


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _weekday(day: date) -> int:
    """Return 1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def _nearest_weekday(day: date, wanted: int) -> int:
    """Return the weekday nearest to a day of the same month."""
    weekday = day.replace(day=wanted).isoweekday()
    if weekday == 6:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 7:
        return wanted + 1 if wanted < _length(day) else wanted - 2
    return wanted
