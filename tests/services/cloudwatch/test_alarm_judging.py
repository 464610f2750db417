"""How alarms treat datapoints, missing ones, rules and schedules: the tables of the user guide."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.services.cloudwatch import alarm_rule, schedule, search, search_grammar
from cloudlet.services.cloudwatch.alarm_rule import Constant, InState, Rule, RuleProblem
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem
from cloudlet.services.cloudwatch.judging import TREATMENTS, judge
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.services.cloudwatch.schedule import ScheduleProblem

KEEPS = None
ALL_MISSING = ("INSUFFICIENT_DATA", KEEPS, "ALARM", "OK")

# The datapoints, M of 3; and the states for missing, ignore, breaching and notBreaching.
TABLE: list[tuple[str, int, tuple[str | None, ...]]] = [
    ("0 - X - X", 3, ("OK", "OK", "OK", "OK")),
    ("0 - - - -", 3, ("OK", "OK", "OK", "OK")),
    ("- - - - -", 3, ALL_MISSING),
    ("0 X X - X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("- - X - -", 3, ("ALARM", KEEPS, "ALARM", "OK")),
    ("0 - X - X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 0 X 0 X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 - X - -", 2, ("OK", "OK", "ALARM", "OK")),
    ("- - - - 0", 2, ("OK", "OK", "ALARM", "OK")),
    ("- - - X -", 2, ("ALARM", KEEPS, "ALARM", "OK")),
    # "Avoiding premature transitions to alarm state"
    ("- - - - X", 3, (KEEPS, KEEPS, "ALARM", "OK")),
    ("- - - X -", 3, (KEEPS, KEEPS, "ALARM", "OK")),
    ("- - - X 0", 3, ("OK", "OK", "OK", "OK")),
    ("- - - - -", 2, ALL_MISSING),
    ("X X X X 0", 3, ("OK", "OK", "OK", "OK")),
    ("0 0 X X X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
]


@pytest.mark.parametrize(("datapoints", "m", "states"), TABLE)
def test_the_users_guide(datapoints: str, m: int, states: tuple[str | None, ...]) -> None:
    values = [None if one == "-" else float(one == "X") for one in datapoints.split()]
    found = {
        treatment: judge(values, lambda value: value > 0, 3, m, treatment).state
        for treatment in ("missing", "ignore", "breaching", "notBreaching")
    }
    assert tuple(found.values()) == states


@given(
    st.integers(1, 5).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n), st.data())),
    st.sampled_from(TREATMENTS),
)
def test_with_all_datapoints_the_last_n_decide(asked: tuple[int, int, st.DataObject], treatment: str) -> None:
    n, m, data = asked
    values: list[float | None] = data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n + 2, max_size=n + 2))
    verdict = judge(values, lambda value: value > 0, n, m, treatment)
    assert verdict.state == ("ALARM" if sum(1 for value in values[-n:] if value) >= m else "OK")
    assert verdict.filled == 0


# -- rules of composite alarms

RULES = [
    ("ALARM(a)", True),
    ("ALARM(b)", False),
    ('OK("b")', True),
    ("INSUFFICIENT_DATA(c)", True),
    ("ALARM(a) AND OK(b)", True),
    ("ALARM(a) AND NOT OK(b)", False),
    ("ALARM(b) OR ALARM(a)", True),
    ("ALARM(a) OR ALARM(b) AND ALARM(b)", True),
    ("(ALARM(a) OR ALARM(b)) AND ALARM(b)", False),
    ("NOT (ALARM(a) AND ALARM(b))", True),
    ("NOT NOT ALARM(a)", True),
    ("TRUE", True),
    ("FALSE OR TRUE", True),
    ("ALARM(arn:aws:cloudwatch:us-east-1:111122223333:alarm:a)", True),
    ('ALARM("with (brackets) and spaces")', True),
    ("not ALARM( b ) and true", True),
    ("AT_LEAST(1, ALARM, (a, b, c))", True),
    ("AT_LEAST(2, ALARM, (a, b, c))", False),
    ("AT_LEAST(2, NOT ALARM, (a, b, c))", True),
    ("AT_LEAST(33%, ALARM, (a, b, c))", True),
    ("AT_LEAST(34%, ALARM, (a, b, c))", False),
    ("AT_LEAST(67%, NOT OK, (a, b, c))", False),
    ("AT_LEAST(66%, not OK, (a, b, c))", True),
    ("AT_LEAST(100%, OK, (b))", True),
    ('at_least( 2,ALARM,("with (brackets) and spaces" , arn:aws:cloudwatch:us-east-1:111122223333:alarm:a))', True),
    ("FALSE OR NOT (AT_LEAST(1, INSUFFICIENT_DATA, (a, b)) AND TRUE)", True),
]


@pytest.mark.parametrize(("text", "expected"), RULES)
def test_rules_hold(text: str, expected: bool) -> None:
    states = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA", "with (brackets) and spaces": "ALARM"}
    assert alarm_rule.holds(alarm_rule.parse(text), states) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Unexpected end"),
        ("ALARM(a", "Unexpected"),
        ("ALARM()", "Unexpected"),
        ("ALARM(a) OK(b)", "Unexpected 'OK' at position 10"),
        ("a AND b", "Unexpected 'a'"),
        ("(TRUE", "Unexpected end"),
        ("AT_LEAST(0, ALARM, (a))", "0 is not from 1 to 1"),
        ("AT_LEAST(3, ALARM, (a, b))", "3 is not from 1 to 2"),
        ("AT_LEAST(101%, ALARM, (a, b))", "101% is not from 1 to 100%"),
        ("AT_LEAST(1, ALARM, ())", "Unexpected"),
        ("AT_LEAST(1, ALARM, a)", "Unexpected"),
        ("AT_LEAST(1, TRUE, (a))", "Unexpected"),
        ("(" * 101 + "TRUE" + ")" * 101, "nested too deeply"),
        (" OR ".join(["TRUE"] * 501), "500 elements"),
        (" OR ".join(f"ALARM(a{number})" for number in range(101)), "100 alarms"),
    ],
)
def test_rules_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(RuleProblem) as caught:
        alarm_rule.parse(text)
    assert said in str(caught.value)


def test_a_rule_names_each_alarm_once() -> None:
    assert alarm_rule.names(alarm_rule.parse("AT_LEAST(1, NOT OK, (b, a, b)) OR ALARM(a)")) == ["b", "a"]
    assert alarm_rule.names(alarm_rule.parse("ALARM(b) OR (OK(a) AND NOT ALARM(b))")) == ["b", "a"]


_NAMES = st.text('ab c():"\\\\é', min_size=1, max_size=6).map(lambda name: f"x{name}")
_RULES = st.recursive(
    st.builds(InState, _NAMES, st.sampled_from(["ALARM", "OK", "INSUFFICIENT_DATA"]))
    | st.builds(Constant, st.booleans()),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: All(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: AnyOf(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=10,
)


def written(rule: Rule) -> str:
    """Return a text that says a rule."""
    if isinstance(rule, InState):
        quoted = re.sub(r'(["\\])', r"\\\1", rule.name)
        return f'{rule.state}("{quoted}")'
    if isinstance(rule, Constant):
        return "TRUE" if rule.value else "FALSE"
    if isinstance(rule, Not):
        return f"NOT ({written(rule.part)})"
    word = " AND " if isinstance(rule, All) else " OR "
    return word.join(f"({written(part)})" for part in rule.parts)


@given(_RULES, st.data())
def test_a_rule_that_is_written_means_what_it_says(rule: Rule, data: st.DataObject) -> None:
    read = alarm_rule.parse(written(rule))
    assert alarm_rule.names(read) == alarm_rule.names(rule)
    states = {name: data.draw(st.sampled_from(["ALARM", "OK"])) for name in alarm_rule.names(rule)}
    assert alarm_rule.holds(read, states) == alarm_rule.holds(rule, states)


@given(st.text('ALRMOKNDT()"\\\\ aé_', max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with contextlib.suppress(RuleProblem):
        alarm_rule.parse(text)


@given(st.text('{}()=,"\\\\ abANDORNOT:.é', max_size=40))
def test_any_text_is_a_search_or_refused(text: str) -> None:
    metric = Metric("1", "r", "ab/AND", "aNDbOr", (("a", "b"),))
    with contextlib.suppress(ExpressionProblem):
        search.matches(metric, search_grammar.parse(text))


# -- schedules of mute rules


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


WINDOWS = [
    ("cron(0 2 * * *)", "PT4H", None, "2026-03-10T01:59:59", None),
    ("cron(0 2 * * *)", "PT4H", None, "2026-03-10T02:00:00", "2026-03-10T06:00:00"),
    ("cron(0 2 * * *)", "PT4H", None, "2026-03-10T06:00:00", None),
    ("cron(0 18 * * FRI)", "P2DT12H", None, "2026-03-15T12:00:00", "2026-03-16T06:00:00"),
    ("cron(0 18 * * FRI)", "P2DT12H", None, "2026-03-16T06:00:00", None),
    ("cron(0 1 1 * *)", "PT6H", None, "2026-03-01T05:00:00", "2026-03-01T07:00:00"),
    ("cron(0 1 1 FEB *)", "PT6H", None, "2026-03-01T05:00:00", None),
    ("cron(0,30 8-9 * * MON-FRI)", "PT10M", None, "2026-03-10T09:35:00", "2026-03-10T09:40:00"),
    ("cron(0,30 8-9 * * MON-FRI)", "PT10M", None, "2026-03-10T10:05:00", None),
    ("cron(0 0 * * 7)", "PT1H", None, "2026-03-15T00:30:00", "2026-03-15T01:00:00"),
    ("cron(0 0 13 * FRI)", "PT1H", None, "2026-03-06T00:30:00", "2026-03-06T01:00:00"),
    ("at(2024-12-23T00:00)", "P7D", None, "2024-12-29T23:59:00", "2024-12-30T00:00:00"),
    ("at(2024-12-23T00:00)", "P7D", None, "2024-12-22T23:59:00", None),
    ("cron(0 2 * * *)", "PT1H", "America/New_York", "2026-01-10T07:30:00", "2026-01-10T08:00:00"),
    ("cron(0 2 * * *)", "PT1H", "Asia/Tokyo", "2026-01-09T17:30:00", "2026-01-09T18:00:00"),
    ("at(2026-07-01T12:00)", "PT1H", "Europe/London", "2026-07-01T11:30:00", "2026-07-01T12:00:00"),
]


@pytest.mark.parametrize(("expression", "duration", "zone", "now", "end"), WINDOWS)
def test_windows(expression: str, duration: str, zone: str | None, now: str, end: str | None) -> None:
    found = schedule.parse(expression, duration, zone).window(at(now))
    assert found == (None if end is None else at(end))


@pytest.mark.parametrize(
    ("expression", "duration", "zone"),
    [
        ("daily", "PT1H", None),
        ("cron(0 2 * *)", "PT1H", None),
        ("cron(60 2 * * *)", "PT1H", None),
        ("cron(0 2 0 * *)", "PT1H", None),
        ("cron(0 5-2 * * *)", "PT1H", None),
        ("cron(0 2 * FOO *)", "PT1H", None),
        ("cron(*/5 2 * * *)", "PT1H", None),
        ("at(2024-13-01T00:00)", "PT1H", None),
        ("at(9999-12-31T23:59)", "PT1H", None),
        ("at(0001-01-01T00:00)", "PT1H", "Asia/Tokyo"),
        ("cron(0 2 * * *)", "PT30S", None),
        ("cron(0 2 * * *)", "P16D", None),
        ("cron(0 2 * * *)", "P", None),
        ("cron(0 2 * * *)", "PT1H", "Mars/Olympus"),
        ("cron(0 2 * * *)", "PT1H", "../etc/passwd"),
    ],
)
def test_schedules_that_are_refused(expression: str, duration: str, zone: str | None) -> None:
    with pytest.raises(ScheduleProblem):
        schedule.parse(expression, duration, zone)
