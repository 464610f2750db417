"""Metrics Insights: its language, as the user guide shows it, and what queries come to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch import insights
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt
from cloudlet.services.cloudwatch.insights_grammar import ACCOUNT, FUNCTIONS, Comparison, Select, parse
from cloudlet.services.cloudwatch.metric import Metric
from tests.services.cloudwatch.local import LocalCloud
from tests.services.cloudwatch.test_alarms import alarm, put_math, state
from tests.services.cloudwatch.test_metric_data import ask, put, refusal

LB = frozenset({"LoadBalancer"})
ELB = "AWS/ApplicationELB"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('SELECT AVG(CPUUtilization) FROM "AWS/EC2"', Select("AVG", "CPUUtilization", "AWS/EC2", None)),
        ('SELECT AVG(CPUUtilization) FROM SCHEMA("AWS/EC2")', Select("AVG", "CPUUtilization", "AWS/EC2", frozenset())),
        (
            'SELECT SUM(RequestCount) FROM SCHEMA("AWS/ApplicationELB", LoadBalancer, AvailabilityZone)',
            Select("SUM", "RequestCount", ELB, LB | {"AvailabilityZone"}),
        ),
        (
            """SELECT MAX(CPUUtilization) FROM "AWS/EC2" WHERE AutoScalingGroupName = 'my-production-fleet'""",
            Select(
                "MAX",
                "CPUUtilization",
                "AWS/EC2",
                None,
                (Comparison("AutoScalingGroupName", "my-production-fleet", True),),
            ),
        ),
        (
            """
            SELECT SUM(RequestCount)
            FROM SCHEMA("AWS/ApplicationELB", LoadBalancer, AvailabilityZone)
            WHERE LoadBalancer = 'app/load-balancer-1'
            GROUP BY AvailabilityZone
            ORDER BY MAX() DESC
            LIMIT 5
            """,
            Select(
                "SUM",
                "RequestCount",
                ELB,
                LB | {"AvailabilityZone"},
                (Comparison("LoadBalancer", "app/load-balancer-1", True),),
                ("AvailabilityZone",),
                "MAX",
                True,
                5,
            ),
        ),
        (
            """select count(CallCount) from schema("AWS/Usage", Class, Resource, Service, Type)
            where Type = 'API' and Service != 'CloudWatch' group by Service, Resource order by count() asc limit 20;""",
            Select(
                "COUNT",
                "CallCount",
                "AWS/Usage",
                frozenset({"Class", "Resource", "Service", "Type"}),
                (Comparison("Type", "API", True), Comparison("Service", "CloudWatch", False)),
                ("Service", "Resource"),
                "COUNT",
                False,
                20,
            ),
        ),
        (
            'SELECT SUM("PutRecords.Bytes") FROM SCHEMA("AWS/Kinesis", StreamName) GROUP BY StreamName ORDER BY SUM()',
            Select(
                "SUM", "PutRecords.Bytes", "AWS/Kinesis", frozenset({"StreamName"}), (), ("StreamName",), "SUM", False
            ),
        ),
        ('SELECT AVG("Bytes\\"Input\\"") FROM "LIMIT"', Select("AVG", 'Bytes"Input"', "LIMIT", None)),
        (
            "SELECT MIN(m) FROM N WHERE AWS.AccountId = '123456789012' AND \"a b\" = 'it\\'s' GROUP BY AWS.AccountId",
            Select(
                "MIN",
                "m",
                "N",
                None,
                (Comparison(ACCOUNT, "123456789012", True), Comparison("a b", "it's", True)),
                (ACCOUNT,),
            ),
        ),
    ],
)
def test_queries_of_the_user_guide(text: str, expected: Select) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT",
        "SELECT m FROM n",
        "SELECT MEDIAN(m) FROM n",
        "SELECT AVG(m)",
        "SELECT AVG(m) FROM AWS/EC2",
        "SELECT AVG(My.Metric) FROM n",
        "SELECT AVG(LIMIT) FROM n",
        "SELECT AVG(m) FROM SCHEMA()",
        "SELECT AVG(m) FROM SCHEMA(n, )",
        "SELECT AVG(m) FROM n WHERE a = b",
        'SELECT AVG(m) FROM n WHERE a = "b"',
        "SELECT AVG(m) FROM n WHERE a > 'b'",
        "SELECT AVG(m) FROM n WHERE a = 'b' OR c = 'd'",
        "SELECT AVG(m) FROM n WHERE a = 'b",
        "SELECT AVG(m) FROM n GROUP a",
        "SELECT AVG(m) FROM n ORDER BY m",
        "SELECT AVG(m) FROM n ORDER BY MAX(m)",
        "SELECT AVG(m) FROM n LIMIT 0",
        "SELECT AVG(m) FROM n LIMIT 501",
        "SELECT AVG(m) FROM n LIMIT x",
        "SELECT AVG(m) FROM n LIMIT 5 ORDER BY MAX()",
        "SELECT AVG(m) FROM n m",
    ],
)
def test_what_is_no_query(text: str) -> None:
    with pytest.raises(ExpressionProblem):
        parse(text)


_NAMES = st.text("aZ_ 1.\"\\'ÄLIMIT", min_size=1, max_size=6)
_QUERIES = st.builds(
    Select,
    st.sampled_from(FUNCTIONS),
    _NAMES,
    _NAMES,
    st.none() | st.frozensets(_NAMES, max_size=2),
    st.lists(st.builds(Comparison, _NAMES, st.text("ab'\\\" ", max_size=4), st.booleans()), max_size=2).map(tuple),
    st.lists(_NAMES, max_size=2).map(tuple),
    st.sampled_from(FUNCTIONS),
    st.booleans(),
    st.integers(1, 500),
)


def quoted(text: str, mark: str = '"') -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


@given(_QUERIES)
def test_what_is_written_is_read(query: Select) -> None:
    source = quoted(query.namespace)
    if query.schema is not None:
        source = f"schema ({', '.join([source, *map(quoted, query.schema)])})"
    text = f"SELECT {query.function.lower()}({quoted(query.metric)}) FROM {source}"
    for at, one in enumerate(query.where):
        value = quoted(one.value, "'")
        text += f" {'AND' if at else 'WHERE'} {quoted(one.label)}{'=' if one.equal else '!='}{value}"
    if query.groups:
        text += f" GROUP BY {', '.join(map(quoted, query.groups))}"
    text += f" ORDER BY {query.order}() {'DESC' if query.descending else 'ASC'} LIMIT {query.limit}"
    assert parse(text) == query


def test_tags_are_not_built() -> None:
    with pytest.raises(NotBuilt):
        parse("SELECT AVG(m) FROM n WHERE tag.env = 'prod'")


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("FROM N", "1234"),
        ("FROM SCHEMA(N)", "1"),
        ("FROM SCHEMA(N, a)", "2"),
        ("FROM SCHEMA(N, b, a)", "34"),
        ("FROM N WHERE a = 'x'", "23"),
        ("FROM N WHERE a != 'x'", "14"),
        ("FROM N WHERE a = 'x' AND b = 'y'", "3"),
        ("FROM N WHERE a = 'X'", ""),
        ("FROM N WHERE AWS.AccountId = '1'", "1234"),
        ("FROM N WHERE AWS.AccountId != '1'", ""),
    ],
)
def test_which_metrics_a_query_is_about(clause: str, expected: str) -> None:
    dimensions = {
        "1": (),
        "2": (("a", "x"),),
        "3": (("a", "x"), ("b", "y")),
        "4": (("a", "z"), ("b", "y")),
    }
    query = parse(f"SELECT AVG(m) {clause}")
    found = [name for name, of in dimensions.items() if insights.matches(Metric("1", "r", "N", "m", of), query)]
    assert "".join(found) == expected


def select(text: str, **more: Any) -> dict[str, Any]:
    return {"Id": "q1", "Expression": text, "Period": 60, **more}


def values(results: list[dict[str, Any]]) -> list[tuple[str, list[float]]]:
    return [(one["Label"], one["Values"]) for one in results]


@pytest.fixture
def shop(cw: Any, hour: datetime) -> Any:
    """Sales of two shops in two towns, and altogether."""
    put(cw, hour, "Sales", 1, 2, 3, Shop="a", Town="x")
    put(cw, hour, "Sales", 10, None, 30, Shop="b", Town="x")
    put(cw, hour, "Sales", 100, Shop="c", Town="y")
    put(cw, hour, "Sales", 1000, 2000, 3000)
    put(cw, hour, "Other", 5, Shop="a", Town="x")
    put(cw, hour, "Sales", 5, namespace="Elsewhere", Shop="a", Town="x")
    return cw


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("SUM", [111, 2, 33]),
        ("AVG", [37, 2, 16.5]),
        ("COUNT", [3, 1, 2]),
        ("MIN", [1, 2, 3]),
        ("MAX", [100, 2, 30]),
    ],
)
def test_a_query_makes_one_series_of_many_metrics(
    shop: Any,
    hour: datetime,
    function: str,
    expected: list[float],
) -> None:
    query = select(f"SELECT {function}(Sales) FROM SCHEMA(Shop, Town, Shop)")
    (result,) = ask(shop, hour, 5, query)
    assert (result["Id"], result["Label"], result["Values"]) == ("q1", "q1", expected)
    assert [time.timestamp() for time in result["Timestamps"]] == [hour.timestamp() + 60 * at for at in range(3)]


def test_queries_group_order_and_limit(shop: Any, hour: datetime) -> None:
    def asked(clauses: str, **more: Any) -> list[tuple[str, list[float]]]:
        return values(ask(shop, hour, 5, select(f"SELECT SUM(Sales) {clauses}", **more)))

    a, b, c, other = ("a", [1, 2, 3]), ("b", [10, 30]), ("c", [100]), ("Other", [1000, 2000, 3000])
    assert asked("FROM SCHEMA(Shop, Town, Shop) GROUP BY Shop") == [a, b, c]
    assert asked("FROM Shop GROUP BY Shop") == [other, a, b, c]
    assert asked("FROM Shop GROUP BY Town, Shop") == [
        ("Other Other", [1000, 2000, 3000]),
        ("x a", [1, 2, 3]),
        ("x b", [10, 30]),
        ("y c", [100]),
    ]
    assert asked("FROM SCHEMA(Shop, Town, Shop) GROUP BY Town") == [("x", [11, 2, 33]), ("y", [100])]
    assert asked("FROM SCHEMA(Shop, Town, Shop) GROUP BY Shop ORDER BY MAX() DESC LIMIT 2") == [c, b]
    assert asked("FROM SCHEMA(Shop, Town, Shop) GROUP BY Shop ORDER BY COUNT() DESC LIMIT 1") == [a]
    assert asked("FROM SCHEMA(Shop, Town, Shop) GROUP BY Shop ORDER BY MIN()") == [a, b, c]
    assert asked("FROM Shop WHERE Town = 'x' GROUP BY Shop ORDER BY AVG() DESC") == [b, a]
    assert asked("FROM Shop GROUP BY Shop LIMIT 2") == [other, a]
    assert asked("FROM Shop WHERE Town = 'z' GROUP BY Shop") == []
    assert asked("FROM Nothing") == [("q1", [])]
    label = "${PROP('Dim.Shop')} of ${LABEL}: ${SUM}"
    assert asked("FROM Shop WHERE Town = 'y' GROUP BY Shop", Label=label) == [("c of c: 100", [100])]
    assert asked("FROM SCHEMA(Shop, Town, Shop)", Period=300) == [("q1", [146])]
    # As on AWS, there is nothing finer than a minute.
    assert asked("FROM SCHEMA(Shop, Town, Shop)", Period=10) == [("q1", [111, 2, 33])]


def test_expressions_go_on_from_queries(shop: Any, hour: datetime) -> None:
    query = select("SELECT SUM(Sales) FROM SCHEMA(Shop, Town, Shop) GROUP BY Shop", ReturnData=False)
    results = ask(shop, hour, 5, query, {"Id": "total", "Expression": "SUM(q1) * 2"})
    assert values(results) == [("total", [222, 4, 66])]


def test_queries_that_are_refused(cw: Any, hour: datetime) -> None:
    query = select("SELECT SUM(Sales) FROM Shop")
    code, message = refusal(cw, hour, query, {**query, "Id": "q2"})
    assert (code, "one Metrics Insights query" in message) == ("ValidationError", True)
    code, message = refusal(cw, hour, select("SELECT SUM(Sales)"))
    assert (code, "Error in expression 'q1'" in message) == ("ValidationError", True)


def test_no_more_than_two_weeks_are_looked_at(cw: Any, hour: datetime) -> None:
    put(cw, hour, "Sales", 1)
    put(cw, hour - timedelta(days=13), "Sales", 2)
    (result,) = ask(cw, hour - timedelta(days=30), 31 * 24 * 60, select("SELECT SUM(Sales) FROM Shop", Period=3600))
    assert result["Values"] == [2, 1]


def test_an_alarm_watches_what_a_query_comes_to(cloud: LocalCloud) -> None:
    cloud.advance(3600 - cloud.now % 3600)
    query = {"Id": "q", "Expression": "SELECT MAX(m) FROM N", "Period": 60}
    put_math(cloud, query)
    for number, expected in ((5, "OK"), (20, "ALARM")):
        for name in "ab":
            cloud.put(number if name == "a" else 1, Dimensions=[{"Name": "Server", "Value": name}])
        cloud.advance(60)
        assert state(cloud) == expected
    assert "[20.0 (" in alarm(cloud)["StateReason"]
    error = cloud.refused(
        "PutMetricAlarm",
        AlarmName="long",
        Metrics=[query],
        EvaluationPeriods=200,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    assert "three hours" in error.message
