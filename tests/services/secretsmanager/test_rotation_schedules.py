"""Rotation windows: when they open and close."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.secretsmanager.rotation_schedule import count_days, find_window, validate

NOON = datetime(2030, 3, 13, 12, tzinfo=UTC).timestamp()


def _show(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("rules", "opens", "closes"),
    [
        ({"AutomaticallyAfterDays": 10}, "03-23 00:00:00", "03-23 23:59:59"),
        ({"AutomaticallyAfterDays": 10, "Duration": "3h"}, "03-23 00:00:00", "03-23 03:00:00"),
        ({"ScheduleExpression": "rate(1 day)"}, "03-14 00:00:00", "03-14 23:59:59"),
        ({"ScheduleExpression": "rate(5 hours)"}, "03-13 15:00:00", "03-13 16:00:00"),
        ({"ScheduleExpression": "rate(36 hours)"}, "03-14 12:00:00", "03-14 13:00:00"),
        ({"ScheduleExpression": "cron(0 8 * * ? *)"}, "03-14 08:00:00", "03-14 23:59:59"),
        ({"ScheduleExpression": "cron(0 8 * * ? *)", "Duration": "2h"}, "03-14 08:00:00", "03-14 10:00:00"),
        ({"ScheduleExpression": "cron(0 4/12 * * ? *)"}, "03-13 16:00:00", "03-13 17:00:00"),
        ({"ScheduleExpression": "cron(0 0 ? * SUN#1 *)"}, "04-07 00:00:00", "04-07 23:59:59"),
        ({"ScheduleExpression": "cron(0 0 L * ? *)"}, "03-31 00:00:00", "03-31 23:59:59"),
    ],
)
def test_windows_open_and_close(rules: dict[str, Any], opens: str, closes: str) -> None:
    validate(rules, NOON)
    window = find_window(rules, NOON, NOON)
    assert window is not None
    assert (_show(window.opens), _show(window.closes)) == (opens, closes)


@given(st.integers(4, 999 * 24), st.floats(NOON, NOON + 10**8), st.floats(0, 10**7))
def test_rates_in_hours_keep_their_distance(hours: int, anchor: float, passed: float) -> None:
    rules = {"ScheduleExpression": f"rate({hours} hours)"}
    first = find_window(rules, anchor + passed, anchor)
    assert first is not None
    assert 0 < first.opens - (anchor + passed) <= hours * 3600
    second = find_window(rules, first.opens, anchor)
    assert second is not None
    assert second.opens - first.opens == hours * 3600


def test_days_between_rotations_are_counted() -> None:
    assert count_days({"ScheduleExpression": "rate(36 hours)"}, NOON) == 1
    assert count_days({"ScheduleExpression": "rate(10 days)"}, NOON) == 10
    assert count_days({"ScheduleExpression": "cron(0 0 ? * MON *)"}, NOON) == 7
