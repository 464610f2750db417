"""What PartiQL statements mean, without a server: any text is read or refused; plans read what WHERE says, once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.expressions import Condition, KeyCondition
from cloudlet.services.dynamodb.item_data.keys import KeySchema
from cloudlet.services.dynamodb.item_data.values import compare
from cloudlet.services.dynamodb.partiql.parser import parse
from cloudlet.services.dynamodb.partiql.plans import read_plan
from cloudlet.services.dynamodb.partiql.statements import Select
from tests.sizes import examples

SCHEMA = KeySchema((("p", "N"),), (("c", "N"),))
TYPES = {"p": "N", "c": "N"}

_NAMES = st.sampled_from(["p", "c", "x"])
_NUMBERS = st.integers(0, 3)
_PAIRS = st.tuples(_NUMBERS, _NUMBERS)
_ATOMS = st.one_of(
    st.builds("{} {} {}".format, _NAMES, st.sampled_from(["=", "=", "<>", "<", ">="]), _NUMBERS),
    st.builds("{1} {2} {0}".format, _NAMES, _NUMBERS, st.sampled_from(["=", "<", ">="])),
    st.builds("{} IN [{}, {}]".format, _NAMES, _NUMBERS, _NUMBERS),
    st.builds(lambda name, bounds: "{} BETWEEN {} AND {}".format(name, *sorted(bounds)), _NAMES, _PAIRS),
    st.builds("({0} = {1} OR {0} = {2})".format, _NAMES, _NUMBERS, _NUMBERS),
    st.builds("{} IS {}MISSING".format, _NAMES, st.sampled_from(["", "NOT "])),
)
_CONDITIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.builds("{} AND {}".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=5,
)
_ITEMS = st.builds(
    lambda p, c, x: {name: {"N": str(value)} for name, value in (("p", p), ("c", c), ("x", x)) if value is not None},
    _NUMBERS,
    _NUMBERS,
    _NUMBERS | st.none(),
)


def _where(condition: str) -> Condition:
    statement = parse(f"SELECT * FROM t WHERE {condition}", ())
    assert isinstance(statement, Select)
    assert statement.where is not None
    return statement.where


def _admits(condition: KeyCondition, item: dict[str, Any]) -> bool:
    wanted = condition.on(("p",), ("c",), TYPES)
    if wanted.hash != (item["p"],) or (wanted.equal and wanted.equal != (item["c"],)):
        return False
    if wanted.condition is None:
        return True
    orders = [compare(item["c"], value) or 0 for value in wanted.condition.values]
    if wanted.condition.comparison == "BETWEEN":
        return orders[0] >= 0 >= orders[1]
    return {"<": orders[0] < 0, "<=": orders[0] <= 0, ">": orders[0] > 0, ">=": orders[0] >= 0}[
        wanted.condition.comparison
    ]


@settings(max_examples=examples(500))
@given(_CONDITIONS, _ITEMS)
def test_a_plan_reads_what_where_says_and_nothing_twice(condition: str, item: dict[str, Any]) -> None:
    where = _where(condition)
    plan = read_plan(where, SCHEMA, ())
    times = 1 if plan.ranges is None else sum(_admits(each, item) for each in plan.ranges)
    assert times <= 1
    found = times == 1 and (plan.rest is None or plan.rest.matches(item))
    assert found == where.matches(item)


@given(_NUMBERS, _CONDITIONS)
def test_a_partition_that_is_named_is_all_that_is_read(number: int, condition: str) -> None:
    for text in (f"p = {number} AND {condition}", f"({condition}) AND p IN ({number}, {number})"):
        assert read_plan(_where(text), SCHEMA, ()).ranges is not None


_WORDS = """
SELECT * FROM t WHERE INSERT INTO VALUE UPDATE SET REMOVE DELETE RETURNING ALL OLD ORDER BY DESC AND OR NOT IN BETWEEN
IS MISSING NULL a b.c "q" 'x' 1 -2.5 ? ( ) [ ] { } << >> , : = <> size( begins_with( EXISTS(
"""


@given(st.lists(st.sampled_from(_WORDS.split()), max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        statement = parse(text, [{"S": "x"}])
    except AwsError as error:
        assert error.code == "ValidationException"  # noqa: PT017 - the other outcome is looked at too
    else:
        assert statement.table
