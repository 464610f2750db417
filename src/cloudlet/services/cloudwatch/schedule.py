"""When mute rules are active. API reference, "Schedule".

`cron(minute hour day-of-month month day-of-week)` with `*`, `-`, `,` and English names, or `at(yyyy-MM-ddThh:mm)`; each
time is the beginning of a window of some length, in a time zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_CRON = re.compile(r"cron\((.*)\)")
_AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2})\)")
_DURATION = re.compile(r"P(?=.)(?:(\d{1,4})D)?(?:T(?=.)(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=15)


class ScheduleProblem(ValueError):
    """A schedule that cannot be read, and why."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The beginnings of windows, and how long each is."""

    at: datetime | None
    """The only beginning; None where they recur."""
    fields: tuple[frozenset[int], ...]
    """The minutes, hours, days of the month, months and days of the week (0 is Sunday) of those that recur."""
    any_day: tuple[bool, bool]
    """Whether the day of the month, and that of the week, is `*`."""
    duration: timedelta
    zone: ZoneInfo

    @property
    def recurs(self) -> bool:
        return self.at is None

    def window(self, now: float) -> float | None:
        """Return when the window ends that is open at a time, or None (seconds since the epoch)."""
        moment = datetime.fromtimestamp(now, UTC)
        if self.at is not None:
            end = self.at + self.duration
            return end.timestamp() if self.at <= moment < end else None
        # Windows may overlap: the latest beginning decides when it is over.
        begin = self._latest(moment)
        return None if begin is None or begin + self.duration <= moment else (begin + self.duration).timestamp()

    def has_ended(self, now: float) -> bool:
        """Whether there will be no window any more."""
        return self.at is not None and self.at + self.duration <= datetime.fromtimestamp(now, UTC)

    def _latest(self, moment: datetime) -> datetime | None:
        """Return the last beginning that is not after a moment, nor too long ago to matter."""
        local = moment.astimezone(self.zone)
        minutes, hours, *_ = self.fields
        for days in range(self.duration.days + 2):
            day = (local - timedelta(days=days)).date()
            if not self._is_day(datetime(day.year, day.month, day.day)):
                continue
            for hour in sorted(hours if days else [hour for hour in hours if hour <= local.hour], reverse=True):
                for minute in sorted(minutes, reverse=True):
                    begin = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)
                    if begin <= moment:
                        return begin
        return None

    def _is_day(self, day: datetime) -> bool:
        _, _, dates, months, weekdays = self.fields
        if day.month not in months:
            return False
        on_date, on_weekday = day.day in dates, day.isoweekday() % 7 in weekdays
        if self.any_day[0] or self.any_day[1]:
            return on_date and on_weekday
        # As in cron everywhere: where both are given, either of them is enough.
        return on_date or on_weekday


def parse(expression: str, duration: str, timezone: str | None) -> Schedule:
    """Return a schedule. Raises ScheduleProblem."""
    length, zone = _duration(duration), _zone(timezone or "UTC")
    if match := _AT.fullmatch(expression):
        try:
            at = datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC)
            (at + length).timestamp()
        except (ValueError, OverflowError):
            raise ScheduleProblem(f"{expression} is no time") from None
        return Schedule(at, (), (False, False), length, zone)
    match = _CRON.fullmatch(expression)
    if match is None or len(match[1].split()) != 5:
        raise ScheduleProblem(f"{expression} is neither cron(minute hour day month weekday) nor at(yyyy-MM-ddThh:mm)")
    texts = match[1].split()
    fields = (
        _field(texts[0], 0, 59),
        _field(texts[1], 0, 23),
        _field(texts[2], 1, 31),
        _field(texts[3], 1, 12, _MONTHS),
        frozenset(day % 7 for day in _field(texts[4], 0, 7, _DAYS)),
    )
    return Schedule(None, fields, (texts[2] == "*", texts[4] == "*"), length, zone)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ScheduleProblem(f"{text} is no duration such as PT4H or P2DT12H")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes)
    if not _SHORTEST <= length <= _LONGEST:
        raise ScheduleProblem(f"{text} is not between PT1M and P15D")
    return length


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleProblem(f"{name} is no time zone") from None


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """Return the numbers of a field: `*`, numbers, names, ranges, separated by commas."""
    if text == "*":
        return frozenset(range(low, high + 1))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin = _number(first, low, high, names)
        end = _number(last, low, high, names) if dash else begin
        if end < begin:
            raise ScheduleProblem(f"{part} ends before it begins")
        found.update(range(begin, end + 1))
    return frozenset(found)


def _number(text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + (1 if names is _MONTHS else 0)
    if not re.fullmatch(r"\d{1,2}", text) or not low <= int(text) <= high:
        raise ScheduleProblem(f"{text} is not between {low} and {high}")
    return int(text)
