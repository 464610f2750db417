"""Rotation schedules: when the windows open and close within which secrets are rotated.

User guide, "Rotation schedules": in UTC, on the hour, four hours apart at least, each within a day.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

from cloudlet.core.aws import schedule_expression
from cloudlet.services.secretsmanager import errors
from cloudlet.services.secretsmanager.secret_record import Rules

_HOUR_SECONDS: Final = 3600
_DAY_SECONDS: Final = 86_400
_MIN_HOURS: Final = 4
_MAX_RATE_DAYS: Final = 999
_EXAMINED_WINDOWS: Final = 60
_RATE: Final = re.compile(r"rate\(\s*(\d{1,5})\s+(hours?|days?)\s*\)")
_CRON: Final = re.compile(r"cron\(\s*0\s+(\S+)\s+\S+\s+\S+\s+\S+\s+\*\s*\)")


class Window(NamedTuple):
    """A rotation window, in seconds since the epoch."""

    opens: float
    closes: float


def validate(rules: Rules, now: float) -> None:
    """Raise InvalidParameter for a schedule that cannot be."""
    expression = rules.get("ScheduleExpression")
    if (rules.get("AutomaticallyAfterDays") is None) == (expression is None):
        raise errors.InvalidParameter(
            "You must specify either AutomaticallyAfterDays or ScheduleExpression in RotationRules, but not both."
        )
    if expression is not None:
        _validate_expression(expression)
    windows = [window for window in _list_windows(rules, now) if window is not None]
    if not windows:
        raise errors.InvalidParameter(f"The schedule expression {expression} never opens a rotation window.")
    for window, following in pairwise(windows):
        if following.opens - window.opens < _MIN_HOURS * _HOUR_SECONDS:
            raise errors.InvalidParameter(f"A secret can be rotated every {_MIN_HOURS} hours at most.")
        if window.closes > following.opens:
            raise errors.InvalidParameter("The rotation window must not extend into the next rotation window.")
    if any(window.closes > _end_day(window.opens) for window in windows):
        raise errors.InvalidParameter("The rotation window must not extend into the next UTC day.")


def find_window(rules: Rules, after: float, anchor: float) -> Window | None:
    """Return the first window that opens after a moment.

    Rates in days count from there, rates in hours from the midnight before the anchor.
    """
    expression = rules.get("ScheduleExpression")
    rate = _read_rate(rules)
    if rate is None:
        opens = schedule_expression.parse(expression)(after)
    elif rate[1] == _DAY_SECONDS:
        opens = _begin_day(after) + rate[0] * _DAY_SECONDS
    else:
        period = rate[0] * _HOUR_SECONDS
        opens = _begin_day(anchor) + ((after - _begin_day(anchor)) // period + 1) * period
    if opens is None:
        return None
    if rules.get("Duration"):
        return Window(opens, opens + int(rules["Duration"].rstrip("h")) * _HOUR_SECONDS)
    return Window(opens, opens + _HOUR_SECONDS if _is_in_hours(rules) else _end_day(opens) - 1)


def count_days(rules: Rules, after: float) -> int:
    """Return how many days there are between two rotations, one at least."""
    rate = _read_rate(rules)
    if rate is not None:
        return max(1, rate[0] * rate[1] // _DAY_SECONDS)
    first = find_window(rules, after, after)
    second = first and find_window(rules, first.opens, after)
    return max(1, int(second.opens - first.opens) // _DAY_SECONDS) if first and second else 1


def _list_windows(rules: Rules, now: float) -> list[Window | None]:
    windows = [find_window(rules, now, now)]
    while len(windows) < _EXAMINED_WINDOWS and (last := windows[-1]) is not None:
        windows.append(find_window(rules, last.opens, now))
    return windows


def _validate_expression(expression: str) -> None:
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        hours = int(rate[1]) * (24 if rate[2].startswith("day") else 1)
        if not _MIN_HOURS <= hours <= _MAX_RATE_DAYS * 24:
            raise errors.InvalidParameter(
                f"The rate of a rotation schedule is {_MIN_HOURS} hours at least and {_MAX_RATE_DAYS} days at most."
            )
    elif _CRON.fullmatch(expression) is None:
        raise errors.InvalidParameter(
            f"Invalid schedule expression {expression}: it is a rate in hours or days, or a cron expression that has 0 "
            "for its minutes and * for its year."
        )
    try:
        schedule_expression.parse(expression)
    except ValueError:
        raise errors.InvalidParameter(f"Invalid schedule expression {expression}.") from None


def _read_rate(rules: Rules) -> tuple[int, int] | None:
    """Return the number and the unit (s) of a rate; None for other schedules."""
    if rules.get("ScheduleExpression") is None:
        return rules["AutomaticallyAfterDays"], _DAY_SECONDS
    match = _RATE.fullmatch(rules["ScheduleExpression"])
    if match is None:
        return None
    return int(match[1]), _DAY_SECONDS if match[2].startswith("day") else _HOUR_SECONDS


def _is_in_hours(rules: Rules) -> bool:
    """Whether a schedule is one in hours, whose windows close after an hour."""
    rate = _read_rate(rules)
    if rate is not None:
        return rate[1] == _HOUR_SECONDS
    match = _CRON.fullmatch(rules["ScheduleExpression"])
    return match is not None and not match[1].isdigit()


def _begin_day(moment: float) -> float:
    return moment // _DAY_SECONDS * _DAY_SECONDS


def _end_day(moment: float) -> float:
    return _begin_day(moment) + _DAY_SECONDS
