"""The times when a scheduled action is due. User guide, "Create scheduled actions for Application Auto Scaling"."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from math import floor
from typing import Final
from zoneinfo import ZoneInfo

from cloudlet.core.aws import schedule_expression
from cloudlet.services.application_autoscaling import errors
from cloudlet.services.application_autoscaling.records import ScheduledAction

_AT: Final = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?)\)")
_EACH: Final = re.compile(r"rate\(1 (minute|hour|day)s\)")
_JUST_SECONDS: Final = 0.001
"""A moment comes after one that is so much before it."""


def check(action: ScheduledAction, now: float) -> None:
    """Raise ValidationException for a schedule that makes no sense."""
    try:
        zone = _get_zone(action.zone)
    except (ValueError, LookupError, OSError):
        raise errors.make_validation(f"Invalid Timezone {action.zone}.") from None
    try:
        moment = _find_moment(action.expression, zone)
        if moment is None:
            _parse(action.expression, zone)
    except (ValueError, OverflowError):
        raise errors.make_validation(f"Invalid Schedule expression: {action.expression}") from None
    if moment is not None and moment <= now:
        raise errors.make_validation("Scheduled action time must be in the future.")
    if action.end is not None and action.end <= now:
        raise errors.make_validation("EndTime must be in the future.")
    if action.start is not None and action.end is not None and action.end <= action.start:
        raise errors.make_validation("EndTime must be later than StartTime.")


def find_following(action: ScheduledAction, after: float) -> float | None:
    """Return when an action is due first after a moment; None where it never is."""
    zone = _get_zone(action.zone)
    moment = _find_moment(action.expression, zone)
    if moment is None:
        if action.start is not None:
            after = max(after, action.start - _JUST_SECONDS)
        schedule = _parse(action.expression, zone)
        if action.expression.startswith("rate"):
            base, seconds = action.anchor if action.start is None else action.start, schedule(0.0) or 0.0
            moment = base + max(0, floor((after - base) / seconds) + 1) * seconds
        else:
            moment = schedule(after)
    if moment is None or moment <= after or (action.end is not None and moment > action.end):
        return None
    return moment


def _get_zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _parse(expression: str, zone: tzinfo) -> schedule_expression.Schedule:
    return schedule_expression.parse(_EACH.sub(r"rate(1 \1)", expression), zone)


def _find_moment(expression: str, zone: tzinfo) -> float | None:
    """Return the moment of an expression for a single time, None for another one. Raises ValueError."""
    found = _AT.fullmatch(expression)
    return None if found is None else datetime.fromisoformat(found[1]).replace(tzinfo=zone).timestamp()
