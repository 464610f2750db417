"""Cron: any field that can be written stands for the numbers that it says."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.aws.schedule_expression import parse

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def _field(low: int, high: int, names: list[str]) -> st.SearchStrategy[tuple[str, set[int]]]:
    """Fields as they are written, and their numbers."""

    def named(number: int) -> st.SearchStrategy[str]:
        return st.sampled_from([str(number), *([names[number - low], names[number - low].lower()] if names else [])])

    @st.composite
    def part(draw: st.DrawFn) -> tuple[str, set[int]]:
        first, last, step = draw(st.integers(low, high)), draw(st.integers(low, high)), draw(st.integers(1, high))
        text, end = draw(
            st.sampled_from(
                [
                    ("*", high),
                    (draw(named(first)), first),
                    (f"{draw(named(first))}-{draw(named(last))}", last),
                    (f"{draw(named(first))}/{step}", high),
                    (f"{draw(named(first))}-{draw(named(last))}/{step}", last),
                    (f"*/{step}", high),
                ]
            )
        )
        begin = low if text.startswith("*") else first
        count = high - low + 1
        distance = (end - begin) % count
        return text, {(begin - low + done) % count + low for done in range(0, distance + 1, step if "/" in text else 1)}

    return st.lists(part(), min_size=1, max_size=3).map(
        lambda parts: (",".join(text for text, _ in parts), set().union(*(numbers for _, numbers in parts)))
    )


@given(_field(0, 59, []), _field(0, 23, []))
def test_times_of_a_day(minutes: tuple[str, set[int]], hours: tuple[str, set[int]]) -> None:
    schedule = parse(f"cron({minutes[0]} {hours[0]} * * ? *)")
    moment = _BEGIN.timestamp() - 1
    for hour in sorted(hours[1])[:3]:
        for minute in sorted(minutes[1]):
            moment = schedule(moment) or 0
            assert moment == (_BEGIN + timedelta(hours=hour, minutes=minute)).timestamp()


@given(_field(1, 12, _MONTHS), _field(1, 31, []))
def test_days_of_a_year(months: tuple[str, set[int]], days: tuple[str, set[int]]) -> None:
    expected = [
        day
        for day in (_BEGIN + timedelta(days=number) for number in range(365))
        if day.month in months[1] and day.day in days[1]
    ]
    _is_due_at(f"cron(0 0 {days[0]} {months[0]} ? 2026)", expected)


@given(_field(1, 7, _DAYS))
def test_days_of_a_week(days: tuple[str, set[int]]) -> None:
    expected = [
        day for day in (_BEGIN + timedelta(days=number) for number in range(365)) if day.isoweekday() % 7 + 1 in days[1]
    ]
    _is_due_at(f"cron(0  0 ? * {days[0]} 2026)", expected)


def _is_due_at(expression: str, expected: list[datetime]) -> None:
    schedule = parse(expression)
    found: list[float] = []
    moment: float | None = _BEGIN.timestamp() - 1
    while moment is not None and (moment := schedule(moment)) is not None:
        found.append(moment)
    assert found == [day.timestamp() for day in expected]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "cron",
        "cron()",
        "cron(0 0 * * ?)",
        "cron(0 0 * * ? * *)",
        "cron(0 0 ? * ? *)",
        "cron(0 0 * * * *)",
        "cron(0, 0 * * ? *)",
        "cron(0 0 W * ? *)",
        "cron(0 0 ? * # *)",
        "cron(0 0 ? * L#1 *)",
        "cron(0 0 L W ? *)",
        "cron(0 0 1W,2 * ? *)",
        "cron(((0 0 * * ? *)))",
        "cron(9" + "9" * 5000 + " 0 * * ? *)",
        "rate(5)",
        "rate(5  minutes)",
        "rate(-5 minutes)",
        "rate(10000000000 days)",
    ],
)
def test_what_is_no_schedule(expression: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        parse(expression)


@given(st.text("cronate(0123456789 ,-/*?LW#)MAY", max_size=30))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    for expression in (text, f"cron({text})", f"cron(0 0 {text} * ? *)", f"rate({text})"):
        with contextlib.suppress(ValueError):
            parse(expression)(0.0)
