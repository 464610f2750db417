"""Schedule expressions: rate(value unit) and cron(minutes hours day-of-month month day-of-week year).

EventBridge's user guide, "Setting a schedule pattern for scheduled rules"; for time zones EventBridge Scheduler's,
"Schedule types": what falls into the hour that a change of the clocks leaves out does not run, and what falls into the
one that comes twice runs the first time only.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from itertools import product
from typing import NamedTuple, TypeAlias

from cloudlet.core.aws.language import Language

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
    return _LANGUAGE.read(text)(zone)


def _cron(
    minutes: Sequence[int],
    hours: Sequence[int],
    months: Collection[int],
    days: Days,
    years: Collection[int],
    zone: tzinfo,
) -> Schedule:
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
                    for hour, minute in product(hours, minutes):
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


class _Part(NamedTuple):
    """Numbers from a first to a last one, with a step."""

    first: str
    last: str | None = None
    step: str | None = None


def _number(text: str, low: int, high: int, names: Sequence[str] = ()) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + low
    if not low <= int(text) <= high:
        raise ValueError(text)
    return int(text)


def _numbers(parts: Sequence[_Part], low: int, high: int, names: Sequence[str] = ()) -> frozenset[int]:
    """Return the numbers that a field stands for."""
    found: set[int] = set()
    for part in parts:
        if part.first == "*":
            first, last = low, high
        else:
            first = _number(part.first, low, high, names)
            last = _number(part.last, low, high, names) if part.last else high if part.step else first
        if first > last:
            # FRI-MON goes around the end of the week.
            last += high - low + 1
        numbers = range(first, last + 1, _number(part.step, 1, high) if part.step else 1)
        found.update((number - low) % (high - low + 1) + low for number in numbers)
    return frozenset(found)


_Field = tuple[_Part, ...]
_Zoned = Callable[[tzinfo], Schedule]


class _Meaning:
    def rate(self, number: str, unit: str) -> _Zoned:
        value = int(number)
        if not 1 <= value < 10**10 or (value == 1) == unit.endswith("s"):
            raise ValueError(f"{number} {unit}")
        seconds = value * _SECONDS[unit.rstrip("s")]
        return lambda zone: lambda after: after + seconds

    def cron(self, minutes: _Field, hours: _Field, days: Days, months: _Field, years: _Field) -> _Zoned:
        return partial(
            _cron,
            sorted(_numbers(minutes, 0, 59)),
            sorted(_numbers(hours, 0, 23)),
            _numbers(months, 1, 12, _MONTHS),
            days,
            _numbers(years, 1970, _LAST_YEAR),
        )

    def cron_of_weeks(self, minutes: _Field, hours: _Field, months: _Field, days: Days, years: _Field) -> _Zoned:
        return self.cron(minutes, hours, days, months, years)

    def numbers(self, *parts: _Part) -> _Field:
        return parts

    def every(self, all: str, step: str | None) -> _Part:
        return _Part(all, None, step)

    def part(self, first: str, last: str | None, step: str | None) -> _Part:
        return _Part(first, last, step)

    def days(self, field: _Field) -> Days:
        numbers = _numbers(field, 1, 31)
        return lambda day: day.day in numbers

    def last_day(self) -> Days:
        return lambda day: day.day == _length(day)

    def last_weekday(self) -> Days:
        return lambda day: day.day == _nearest_weekday(day, _length(day))

    def nearest_weekday(self, number: str) -> Days:
        wanted = _number(number, 1, 31)
        return lambda day: wanted <= _length(day) and day.day == _nearest_weekday(day, wanted)

    def weekdays(self, field: _Field) -> Days:
        numbers = _numbers(field, 1, 7, _WEEKDAYS)
        return lambda day: _weekday(day) in numbers

    def saturdays(self) -> Days:
        return lambda day: _weekday(day) == _SATURDAY

    def last_weekday_of_month(self, weekday: str) -> Days:
        last = _number(weekday, 1, 7, _WEEKDAYS)
        return lambda day: _weekday(day) == last and day.day + 7 > _length(day)

    def nth_weekday(self, weekday: str, week: str) -> Days:
        wanted, number = _number(weekday, 1, 7, _WEEKDAYS), _number(week, 1, 5)
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == number


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


_LANGUAGE: Language[_Zoned] = Language(__file__, _Meaning(), deepest=0)
