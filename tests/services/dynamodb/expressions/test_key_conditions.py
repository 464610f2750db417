"""Key condition expressions, and the KeyConditions that came before them."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.dynamodb.expressions import AttributeCondition, KeyRange, Substitutions, parse_key_condition
from cloudlet.services.dynamodb.legacy import key_conditions
from tests.services.dynamodb.expressions.refusals import refused

VALUES: dict[str, Any] = {
    ":p": {"S": "x"},
    ":c": {"N": "3"},
    ":d": {"N": "5"},
    ":q": {"S": "y"},
    ":empty": {"S": ""},
}
P, C, D, Q = VALUES[":p"], VALUES[":c"], VALUES[":d"], VALUES[":q"]
TYPES = {"p": "S", "c": "N", "h": "S", "r": "S", "q": "S"}


def _on(text: str, hash_names: tuple[str, ...] = ("p",), range_names: tuple[str, ...] = ("c",)) -> KeyRange:
    condition = parse_key_condition(text, Substitutions({"#p": "p"}, VALUES))
    return condition.on(hash_names, range_names, TYPES)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("p = :p", KeyRange((P,))),
        (":p = #p", KeyRange((P,))),
        ("c = :c AND p = :p", KeyRange((P,), (C,))),
        ("p = :p AND c < :c", KeyRange((P,), (), AttributeCondition("c", "<", (C,)))),
        ("p = :p AND :c < c", KeyRange((P,), (), AttributeCondition("c", ">", (C,)))),
        ("p = :p AND :c >= c", KeyRange((P,), (), AttributeCondition("c", "<=", (C,)))),
        ("p = :p aNd c between :c And :d", KeyRange((P,), (), AttributeCondition("c", "BETWEEN", (C, D)))),
        ("((p = :p) AND (c = :c))", KeyRange((P,), (C,))),
    ],
)
def test_what_a_query_reads(text: str, wanted: KeyRange) -> None:
    assert _on(text) == wanted


def test_begins_with_is_for_strings() -> None:
    assert _on("p = :p AND begins_with(q, :q)", range_names=("q",)) == KeyRange(
        (P,), (), AttributeCondition("q", "begins_with", (Q,))
    )
    assert "begins_with" in refused(_on, "p = :p AND begins_with(c, :c)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c = :c", "Query condition missed key schema element: p"),
        ("p = :p AND z = :c", "Query condition missed key schema element: c"),
        ("p < :p", "Query key condition not supported"),
        (
            "p = :p AND c = :c AND z = :d",
            "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
        ),
        ("p = :c", "One or more parameter values were invalid: Condition parameter type does not match schema type"),
        (
            "p = :p AND c > :q",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "p = :empty",
            "One or more parameter values were invalid: "
            "The AttributeValue for a key attribute cannot contain an empty string value. Key: p",
        ),
    ],
)
def test_what_a_schema_does_not_admit(text: str, message: str) -> None:
    assert refused(_on, text) == message


def test_without_a_sort_key_there_is_no_second_condition() -> None:
    assert refused(_on, "p = :p AND c = :c", range_names=()) == "Query key condition not supported"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("p <> :p", "Invalid operator used in KeyConditionExpression: <>"),
        ("p IN (:p)", "Invalid operator used in KeyConditionExpression: IN"),
        ("p = :p OR c = :c", "Invalid operator used in KeyConditionExpression: OR"),
        ("NOT p = :p", "Invalid operator used in KeyConditionExpression: NOT"),
        ("attribute_exists(p)", "Invalid operator used in KeyConditionExpression: attribute_exists"),
        ("dog(p, :p)", "Invalid function name; function: dog"),
        ("p.x = :p", "KeyConditionExpressions cannot have conditions on nested attributes"),
        ("size(p) = :p", "KeyConditionExpressions cannot contain nested operations"),
        ("p = c", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"),
        ("p", 'Syntax error; token: "<EOF>", near: "p"'),
    ],
)
def test_what_key_conditions_do_not_have(text: str, problem: str) -> None:
    assert refused(_on, text) == f"Invalid KeyConditionExpression: {problem}"


def test_there_is_one_condition_for_a_key() -> None:
    message = "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"
    assert refused(_on, "p = :p AND p = :p") == message
    assert refused(_on, "p = :p AND c > :c AND c < :d") == message


class TestKeysOfSeveralAttributes:
    """Every hash attribute with `=`; range attributes from the left, only the last otherwise than with `=`."""

    HASH, RANGE = ("p", "h"), ("q", "r")

    def _on(self, text: str) -> KeyRange:
        return _on(text, self.HASH, self.RANGE)

    def test_values_come_in_the_order_of_the_schema(self) -> None:
        assert self._on("r = :q AND h = :q AND q = :p AND p = :p") == KeyRange((P, Q), (P, Q))

    def test_the_last_condition_may_be_any(self) -> None:
        assert self._on("p = :p AND h = :q") == KeyRange((P, Q))
        assert self._on("p = :p AND h = :q AND q = :p AND begins_with(r, :q)") == KeyRange(
            (P, Q), (P,), AttributeCondition("r", "begins_with", (Q,))
        )

    def test_there_are_no_more_conditions_than_attributes(self) -> None:
        text = "p = :p AND h = :q AND q = :q AND r = :q AND c = :c"
        assert refused(self._on, text) == (
            "The number of query conditions (5) exceeds the number of key attributes defined in the schema (4)"
        )

    @pytest.mark.parametrize("text", ["p = :p", "p = :p AND h > :q", "p = :p AND q = :q"])
    def test_hash_attributes_need_equality(self, text: str) -> None:
        assert "HASH" in refused(self._on, text)

    @pytest.mark.parametrize("text", ["p = :p AND h = :q AND r = :q", "p = :p AND h = :q AND q > :p AND r = :q"])
    def test_range_attributes_have_no_gap(self, text: str) -> None:
        assert "RANGE" in refused(self._on, text)


class TestLegacy:
    def _on(self, **conditions: tuple[str, list[dict[str, Any]]]) -> KeyRange:
        given = {
            name: {"ComparisonOperator": operator, "AttributeValueList": values}
            for name, (operator, values) in conditions.items()
        }
        return key_conditions(given).on(("p",), ("c",), TYPES)

    def test_they_mean_the_same(self) -> None:
        assert self._on(p=("EQ", [P]), c=("BETWEEN", [C, D])) == _on("p = :p AND c BETWEEN :c AND :d")
        assert self._on(p=("EQ", [P]), c=("GE", [{"N": "3.0"}])) == _on("p = :p AND c >= :c")

    def test_operators_that_no_index_knows_are_refused(self) -> None:
        message = refused(self._on, p=("NE", [P]))
        assert message == "Attempted conditional constraint is not an indexable operation"

    def test_operators_have_as_many_values_as_they_need(self) -> None:
        assert "Invalid number of argument(s) for the EQ ComparisonOperator" in refused(self._on, p=("EQ", [P, Q]))
