"""When a schedule is due. User guide, "Schedule types in EventBridge Scheduler"."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from math import floor
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cloudlet.core.aws import schedule_expression
from cloudlet.services.scheduler import errors

_AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
"""Unlike rules of EventBridge, schedules may have one of a unit in the plural: the guide has no other units."""
_JUST = 0.001
"""Seconds: what is due at a moment comes after one that is just before it."""


class Timing(NamedTuple):
    """What says when a schedule is due. Times are in seconds since the epoch."""

    expression: str
    zone: str
    start: float | None
    end: float | None
    anchor: float
    """When a rate was set; it goes on from there unless it has a start."""

    def first(self, now: float) -> float | None:
        """Return when it is due first, for one that is set now; what is past is due at once."""
        if self.is_once:
            return self.following(float("-inf"))
        if self._is_rate:
            return self._within(self._base)
        return self.following(max(now, self.start or now) - _JUST)

    def following(self, after: float) -> float | None:
        """Return when it is due first after a moment; None where it never is."""
        moment = _at(self.expression, _zone(self.zone))
        if moment is not None:
            return moment if moment > after else None
        expression = _recurring(self.expression, _zone(self.zone))
        if not self._is_rate:
            return self._within(expression(max(after, (self.start or after + _JUST) - _JUST)))
        if after < self._base:
            return self._within(self._base)
        seconds = expression(0.0) or 0.0
        return self._within(self._base + (floor((after - self._base) / seconds) + 1) * seconds)

    @property
    def is_once(self) -> bool:
        """Whether it is due a single time. Its start and end are passed over then."""
        return self.expression.startswith("at")

    @property
    def _is_rate(self) -> bool:
        return self.expression.startswith("rate")

    @property
    def _base(self) -> float:
        return self.anchor if self.start is None else self.start

    def _within(self, moment: float | None) -> float | None:
        return None if moment is None or (self.end is not None and moment > self.end) else moment

    def check(self) -> None:
        """Raise ValidationException where it makes no sense."""
        try:
            zone = _zone(self.zone)
        except (ValueError, LookupError, OSError):
            raise errors.validation(f"Invalid ScheduleExpressionTimezone {self.zone}.") from None
        try:
            if _at(self.expression, zone) is None:
                _recurring(self.expression, zone)
        except (ValueError, OverflowError):
            raise errors.validation(f"Invalid Schedule Expression {self.expression}.") from None


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _recurring(expression: str, zone: tzinfo) -> schedule_expression.Schedule:
    """Return the schedule of a rate or a cron expression. Raises ValueError."""
    # It takes a unit in either number, as EventBridge does not.
    if rate := _RATE.fullmatch(expression):
        expression = f"rate({rate[1]} {rate[2]}{'' if rate[1] == '1' else 's'})"
    return schedule_expression.parse(expression, zone)


def _at(expression: str, zone: tzinfo) -> float | None:
    """Return the moment of an expression for a single time, None for another one. Raises ValueError."""
    found = _AT.fullmatch(expression)
    if found is None:
        return None
    return datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).timestamp()
