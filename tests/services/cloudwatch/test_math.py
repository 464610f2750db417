"""Metric math: the tables of the user guide, and the parser."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch.expressions import evaluation, parser
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt
from cloudlet.services.cloudwatch.expressions.series import OPERATORS, TimeSeries, Value
from cloudlet.services.cloudwatch.expressions.syntax import (
    Array,
    Call,
    Name,
    Negation,
    Node,
    Number,
    Operation,
    Text,
)

START = 1_700_006_400
"""A Wednesday, 00:00 UTC."""
_ = None


def series(*values: float | None, period: int = 60, label: str = "") -> TimeSeries:
    points = {START + at * period: float(value) for at, value in enumerate(values) if value is not None}
    return TimeSeries(points, period, label)


def compute(expression: str, length: int = 5, **metrics: TimeSeries) -> Value:
    def lookup(id: str) -> Value:
        if id not in metrics:
            raise ExpressionProblem(f"unknown {id}")
        return metrics[id]

    around = evaluation.Surroundings((START, START + length * 60), 60, metrics, lookup, {})
    return evaluation.evaluate(parser.parse(expression), around)


def shown(value: Value, length: int) -> Any:
    """Return a value in the form of the tables: a list with None where there is no point."""
    if isinstance(value, list):
        return [shown(one, length) for one in value]
    if isinstance(value, TimeSeries):
        assert list(value.points) == sorted(value.points)
        assert all((time - START) % 60 == 0 for time in value.points)
        return [value.points.get(START + at * 60) for at in range(length)]
    return value


M1, M2, M3 = series(1, 1, 0, 0, _), series(30, _, 0, 0, 30), series(0, 0, 20, _, 20)

CASES: list[tuple[str, dict[str, TimeSeries], Any]] = [
    # "Comparison and logical operators"
    ("m1 < m2", {"m1": series(30, 20, 0, 0), "m2": series(20, _, 20, _)}, [0, 0, 1, 0]),
    ("m1 >= 30", {"m1": series(30, 20, 0, 0)}, [1, 0, 0, 0]),
    ("m1 > 15 AND m2 > 15", {"m1": series(30, 20, 0, 0), "m2": series(20, _, 20, _)}, [1, 0, 0, 0]),
    ("m1 > 15 && m2 > 15", {"m1": series(30, 20, 0, 0), "m2": series(20, _, 20, _)}, [1, 0, 0, 0]),
    ("m1 OR m2", {"m1": series(1, 0, _), "m2": series(0, 0, 2)}, [1, 0, 1]),
    ("m1 == 2 || m1 != 3", {"m1": series(1, 2, 3)}, [1, 1, 0]),
    ("m1 <= 2", {"m1": series(1, 2, 3)}, [1, 1, 0]),
    # "Using IF expressions"
    ("IF(m1, m2, m3)", {"m1": M1, "m2": M2, "m3": M3}, [30, 0, 20, _, _]),
    ("IF(m1, 5, m3)", {"m1": M1, "m3": M3}, [5, 5, 20, _, _]),
    ("IF(m1, m2, 5)", {"m1": M1, "m2": M2}, [30, 0, 5, 5, _]),
    ("IF(m1, m2)", {"m1": M1, "m2": M2}, [30, 0, _, _, _]),
    ("IF(1, m2, m3)", {"m2": M2, "m3": M3}, [30, _, 0, 0, 30]),
    ("IF(0, m2, m3)", {"m2": M2, "m3": M3}, [0, 0, 20, _, 20]),
    ("IF(0, m2)", {"m2": M2}, [_, _, _, _, _]),
    ("IF(m1<400, m1)", {"m1": series(399, 400, 1)}, [399, _, 1]),
    ("IF(m1<400, 10, 2)", {"m1": series(399, 400, _)}, [10, 2, _]),
    # "Basic arithmetic functions"
    ("m1 + m2", {"m1": series(1, _, 3), "m2": series(10, 20, _)}, [11, 20, 3]),
    ("m1 - m2", {"m1": series(1, _), "m2": series(10, 20)}, [-9, -20]),
    ("m1 / m2", {"m1": series(1, 2, 3), "m2": series(2, 0, _)}, [0.5, _, _]),
    ("5 * m1", {"m1": series(1, _, 3)}, [5, _, 15]),
    ("-m1", {"m1": series(1, -2)}, [-1, 2]),
    ("-m1 ^ 2", {"m1": series(3)}, [-9]),
    ("--m1 ^ 1", {"m1": series(3)}, [3]),
    ("2 ^ -1 ^ m1", {"m1": series(2)}, [0.5]),
    ("2 ^ 3 ^ m1", {"m1": series(2)}, [512]),
    ("m1 ^ 0.5", {"m1": series(9, -1)}, [3, _]),
    ("m1 - 1 - 1", {"m1": series(5)}, [3]),
    ("m1 - (1 - 1)", {"m1": series(5)}, [5]),
    ("m1 * 1e400", {"m1": series(5)}, [_]),
    ("1 + 2 * m1 < 8 AND 1", {"m1": series(3, 4)}, [1, 0]),
    ("[m1, m2] * 100", {"m1": series(1, 2), "m2": series(3)}, [[100, 200], [300, _]]),
    ("SUM(100 / [m1, m2])", {"m1": series(1, 2), "m2": series(4, 5)}, [125, 70]),
    ("[m1, m2] / m3", {"m1": series(1), "m2": series(3), "m3": series(2)}, [[0.5], [1.5]]),
    ("SUM(-[m1, m2])", {"m1": series(1), "m2": series(3)}, [-4]),
    # functions of a series
    ("ABS(m1)", {"m1": series(-1, 2)}, [1, 2]),
    ("MIN(ABS([m1, m2]))", {"m1": series(-1, 5), "m2": series(3, -4)}, [1, 4]),
    ("CEIL(m1)", {"m1": series(1.1, -1.1)}, [2, -1]),
    ("FLOOR(m1)", {"m1": series(1.9, -1.1)}, [1, -2]),
    ("LOG(m1)", {"m1": series(math.e, 0, -1)}, [1, _, _]),
    ("LOG10(m1)", {"m1": series(1000)}, [pytest.approx(3)]),
    ("DIFF(m1)", {"m1": series(1, 4, _, 2)}, [_, 3, _, -2]),
    ("DIFF_TIME(m1)", {"m1": series(1, 4, _, 2)}, [_, 60, _, 120]),
    ("RATE(m1)", {"m1": series(0, 60, _, 0)}, [_, 1, _, -0.5]),
    ("RUNNING_SUM(m1)", {"m1": series(1, 2, _, 3)}, [1, 3, _, 6]),
    ("m1 / PERIOD(m1)", {"m1": series(120)}, [2]),
    ("METRICS() / 100", {"m1": series(100), "m2": series(50)}, [[1], [0.5]]),
    ("SUM(METRICS('err'))", {"errors": series(1), "m2": series(50)}, [1]),
    ('SUM([METRICS("4xx"), METRICS("5xx")])', {"e4xx": series(1), "e5xx": series(2), "m": series(9)}, [3]),
    # of all values, and across series
    ("m1 - AVG(m1)", {"m1": series(1, 3, _)}, [-1, 1, _]),
    ("m1 - MIN(m1)", {"m1": series(1, 3)}, [0, 2]),
    ("MAX(m1) / m1", {"m1": series(1, 4)}, [4, 1]),
    ("m1 / STDDEV(m1)", {"m1": series(2, 4)}, [2, 4]),
    ("SUM(m1) + 0 * m1", {"m1": series(2, 4)}, [6, 6]),
    ("m1 * DATAPOINT_COUNT(m1)", {"m1": series(2, _, 4)}, [4, _, 8]),
    ("AVG([m1, m2])", {"m1": series(2, 4), "m2": series(4, _)}, [3, 2]),
    ("MIN([m1, m2])", {"m1": series(2, 4), "m2": series(4, _)}, [2, 4]),
    ("MAX([m1, m2])", {"m1": series(2, 4), "m2": series(4, _)}, [4, 4]),
    ("STDDEV([m1, m2])", {"m1": series(2), "m2": series(4)}, [1]),
    ("SUM([m1, m2])", {"m1": series(2, 4), "m2": series(4, _)}, [6, 4]),
    ("DATAPOINT_COUNT([m1, m2])", {"m1": series(2, 4), "m2": series(4, _)}, [2, 1]),
    ("m1 / METRIC_COUNT(METRICS())", {"m1": series(2), "m2": series(4)}, [1]),
    # filling
    ("FILL(m1, 0)", {"m1": series(_, 1, _, 2, _)}, [0, 1, 0, 2, 0]),
    ("FILL(m1, REPEAT)", {"m1": series(_, 1, _, 2, _)}, [_, 1, 1, 2, 2]),
    ("FILL(m1, LINEAR)", {"m1": series(_, 1, _, _, 4)}, [_, 1, 2, 3, 4]),
    ("FILL(m1, m2)", {"m1": series(_, 1, _), "m2": series(7, 8, _)}, [7, 1, _, _, _]),
    ("FILL(m1, MIN(m1))", {"m1": series(3, _, 1)}, [3, 1, 1, 1, 1]),
    ("FILL(METRICS(), 0)", {"m1": series(1), "m2": series(_, 1)}, [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]),
    ("TIME_SERIES(10)", {}, [10, 10, 10, 10, 10]),
    ("TIME_SERIES(MAX(m1))", {"m1": series(1, 9)}, [9, 9, 9, 9, 9]),
    # times
    ("MINUTE(m1)", {"m1": series(1, _, 1)}, [0, 1, 2, 3, 4]),
    ("HOUR(m1)", {"m1": series(1)}, [0, 0, 0, 0, 0]),
    ("DAY(m1)", {"m1": series(1)}, [3, 3, 3, 3, 3]),
    ("DATE(m1) * 10000 + MONTH(m1) * 100 - YEAR(m1)", {"m1": series(1)}, [150000 + 1100 - 2023] * 5),
    ("EPOCH(m1) - 1700006400", {"m1": series(1)}, [0, 60, 120, 180, 240]),
    ("IF(DAY(m1)<6,m1)", {"m1": series(1, 2)}, [1, 2, 0, 0, 0]),
    # arrays
    ("SORT(METRICS(), AVG, DESC)", {"m1": series(1), "m2": series(3), "m3": series(2)}, [[3], [2], [1]]),
    ("SORT(METRICS(), MAX, ASC)", {"m1": series(1), "m2": series(3), "m3": series(_)}, [[1], [3], [_]]),
    ("SORT(METRICS(), SUM, DESC, 1)", {"m1": series(1, 1), "m2": series(_, 1.5)}, [[1, 1]]),
    ("SLICE(SORT(METRICS(), SUM, DESC), 0, 1)", {"m1": series(1), "m2": series(3)}, [[3]]),
    ("SLICE(METRICS(), 1)", {"m1": series(1), "m2": series(3), "m3": series(2)}, [[3], [2]]),
    ("FIRST(METRICS())", {"m1": series(1), "m2": series(3)}, [1]),
    ("LAST(METRICS())", {"m1": series(1), "m2": series(3)}, [3]),
    ("REMOVE_EMPTY(METRICS())", {"m1": series(_), "m2": series(3)}, [[3]]),
    ("IF(FIRST(SORT(METRICS(), AVG, DESC))>100, 1, 0)", {"m1": series(1, 2), "m2": series(300, 3)}, [1, 0]),
]


@pytest.mark.parametrize(("expression", "metrics", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_users_guide(expression: str, metrics: dict[str, TimeSeries], expected: Any) -> None:
    value = compute(expression, **metrics)
    flat = expected[0] if expected and isinstance(expected[0], list) else expected
    assert shown(value, len(flat)) == expected


REFUSED = [
    ("m1 +", "Unexpected end"),
    ("m1 m1", "Unexpected 'm1' at position 4"),
    ("m1 $ 2", "Unexpected character at position 4"),
    ("(m1", "Unexpected end"),
    ("[]", "must not be empty"),
    ("", "Unexpected end"),
    ("m9", "unknown m9"),
    ("sum(m1)", "Unsupported function sum"),
    ("ABS(m1, m1)", "number of arguments"),
    ("ABS(5)", "and not a scalar"),
    ("AVG(5)", "and not a scalar"),
    ("[m1, 5]", "no scalars"),
    ("[m1] + [m1]", "two arrays"),
    ("'text'", "string"),
    ("PERIOD(m1 + 1)", "PERIOD takes a metric"),
    ("METRICS(5)", "takes a string"),
    ("SORT(METRICS(), STDDEV, ASC)", "SORT takes"),
    ("SORT(METRICS(), AVG, UP)", "SORT takes"),
    ("SLICE(METRICS(), 0.5)", "not a whole number"),
    ("SLICE(METRICS(), m1)", "A scalar is expected"),
    ("IF([m1], 1, 0)", "no arrays"),
    ("FILL(m1, [m1])", "FILL takes"),
    ("TIME_SERIES(m1)", "A scalar is expected"),
    ("(" * 60 + "m1" + ")" * 60, "too deeply"),
    ("m1" + "^m1" * 60, "too deeply"),
]


@pytest.mark.parametrize(("expression", "said"), REFUSED)
def test_what_makes_no_sense_is_refused(expression: str, said: str) -> None:
    with pytest.raises(ExpressionProblem, match=r"\w") as caught:
        compute(expression, m1=series(1))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["ANOMALY_DETECTION_BAND", "SERVICE_QUOTA", "INSIGHT_RULE_METRIC"])
def test_functions_that_are_not_built_say_so(name: str) -> None:
    with pytest.raises(NotBuilt, match=name):
        compute(f"{name}(m1)", m1=series(1))


def test_long_expressions_are_computed() -> None:
    assert shown(compute("m1" + "+m1" * 600, m1=series(1)), 1) == [601]


def test_series_without_gaps_have_an_end() -> None:
    empty = series(_)
    for expression in ("TIME_SERIES(1)", "FILL(m1, 0)", "EPOCH(m1)"):
        with pytest.raises(ExpressionProblem, match="100,800 data points at most"):
            compute(expression, length=100_801, m1=empty)
    with pytest.raises(ExpressionProblem, match="1,000 time series at most"):
        compute(f"[{','.join(['m1'] * 1001)}]", m1=empty)
    many = {f"m{number}": empty for number in range(11)}
    with pytest.raises(ExpressionProblem, match="1,000,000 data points together"):
        compute("FILL(METRICS(), 0)", length=100_000, **many)


@pytest.mark.parametrize("expression", [f"-[{'m1,' * 110}m1]", f"[{'m2,' * 110}m2] + m1", f"m1 * [{'m2,' * 110}m2]"])
def test_arrays_have_no_more_data_points_than_there_is_room_for(expression: str) -> None:
    long = series(*[1.0] * 10_000)
    with pytest.raises(ExpressionProblem, match="1,000,000 data points together"):
        compute(expression, m1=long, m2=series(1))


def test_expressions_go_through_so_many_data_points_together() -> None:
    assert shown(compute("+".join(["TIME_SERIES(1)"] * 60), length=1000), 1) == [60]
    with pytest.raises(ExpressionProblem, match="more than 5,000,000 data points"):
        compute("+".join(["TIME_SERIES(1)"] * 60), length=100_000)


# -- the parser

_NAMES = st.from_regex(r"[a-z][a-zA-Z0-9_]{0,5}", fullmatch=True)
_LEAVES = (
    st.floats(0, 1e9, allow_nan=False).map(Number)
    | _NAMES.map(Name)
    | st.text("abc\"' {}=", max_size=5).map(lambda text: Call("METRICS", (Text(text),)))
)
_NODES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Operation, st.sampled_from(sorted(OPERATORS)), inner, inner),
        st.builds(Negation, inner),
        st.builds(lambda items: Array(tuple(items)), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=12,
)


def written(node: Node) -> str:
    """Return an expression that means a node."""
    if isinstance(node, Number):
        return repr(node.value)
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Text):
        escaped = node.value.replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(node, Negation):
        return f"(-({written(node.operand)}))"
    if isinstance(node, Operation):
        return f"({written(node.left)} {node.operator} {written(node.right)})"
    if isinstance(node, Array):
        return "[" + ", ".join(map(written, node.items)) + "]"
    return f"{node.function}({','.join(map(written, node.arguments))})"


@given(_NODES)
def test_what_is_written_is_read(node: Node) -> None:
    assert parser.parse(written(node)) == node


@given(st.text("m1+-*/^()[],<>=&|'\"ANDOR. eE", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ExpressionProblem):
        parser.parse(text)
