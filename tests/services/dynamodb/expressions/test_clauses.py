"""The clauses of whole requests: expressions, legacy parameters, and what does not go together."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.dynamodb.requests.clauses import read
from tests.services.dynamodb.expressions.refusals import refused

ONE: dict[str, Any] = {"N": "1"}
TWO: dict[str, Any] = {"N": "2"}


def test_a_request_without_clauses_has_none() -> None:
    clauses = read("PutItem", {"TableName": "t", "Item": {}})
    assert (clauses.condition, clauses.update, clauses.filter, clauses.projection, clauses.key_condition) == (None,) * 5


def test_expressions_share_their_placeholders() -> None:
    clauses = read(
        "UpdateItem",
        {
            "UpdateExpression": "SET #a = :v",
            "ConditionExpression": "#b = :v",
            "ExpressionAttributeNames": {"#a": "a", "#b": "b"},
            "ExpressionAttributeValues": {":v": {"N": "1.0"}},
        },
    )
    assert clauses.update is not None
    assert clauses.update.apply({}) == {"a": ONE}
    assert clauses.condition is not None
    assert clauses.condition.matches({"b": ONE})


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        (
            "GetItem",
            {"AttributesToGet": ["a"], "ProjectionExpression": "a"},
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}",
        ),
        (
            "Query",
            {"AttributesToGet": ["a"], "FilterExpression": "a = b", "KeyConditionExpression": "p = :p"},
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {AttributesToGet} "
            "Expression parameters: {FilterExpression, KeyConditionExpression}",
        ),
        (
            "Query",
            {"KeyConditions": {}, "KeyConditionExpression": "p = :p"},
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {KeyConditions} Expression parameters: {KeyConditionExpression}",
        ),
        (
            "GetItem",
            {"ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            "PutItem",
            {"ExpressionAttributeValues": {":a": ONE}},
            "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            "ConditionCheck",
            {"ExpressionAttributeValues": {":a": ONE}},
            "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
        ),
        (
            "Query",
            {"ExpressionAttributeValues": {":a": ONE}, "ProjectionExpression": "a"},
            "ExpressionAttributeValues can only be specified when using expressions: "
            "FilterExpression and KeyConditionExpression are null",
        ),
        (
            "GetItem",
            {"ProjectionExpression": "a", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
        ),
        (
            "PutItem",
            {"ConditionExpression": "a = b", "ExpressionAttributeValues": {}},
            "ExpressionAttributeValues must not be empty",
        ),
        (
            "GetItem",
            {"ProjectionExpression": "a", "ExpressionAttributeNames": {"a": "x"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
        ),
        (
            "PutItem",
            {"ConditionExpression": "a = :b", "ExpressionAttributeValues": {":b!": ONE}},
            'ExpressionAttributeValues contains invalid key: Syntax error; key: ":b!"',
        ),
        (
            "Put",
            {"ConditionExpression": "a = :b", "ExpressionAttributeValues": {":b": {}}},
            "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, "
            "must contain exactly one of the supported datatypes for key :b",
        ),
        (
            "Query",
            {"FilterExpression": "a = :b", "ExpressionAttributeValues": {":b": {}}},
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            "GetItem",
            {"ProjectionExpression": "#a", "ExpressionAttributeNames": {"#a": "a", "#c": "c", "#b": "b"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}",
        ),
        (
            "PutItem",
            {"ConditionExpression": "a = :a", "ExpressionAttributeValues": {":a": ONE, ":b": ONE}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}",
        ),
        ("PutItem", {"ConditionalOperator": "OR"}, "ConditionalOperator cannot be used without Filter or Expected"),
        (
            "PutItem",
            {"ConditionalOperator": "OR", "Expected": {}},
            "ConditionalOperator cannot be used without Filter or Expected",
        ),
        (
            "PutItem",
            {"ConditionalOperator": "AND", "Expected": {"a": {"Exists": False}}},
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ),
        (
            "GetItem",
            {"AttributesToGet": ["a", "a"]},
            "One or more parameter values were invalid: Duplicate value in attribute name: a",
        ),
    ],
)
def test_what_does_not_go_together(operation: str, params: dict[str, Any], message: str) -> None:
    assert refused(read, operation, params) == message


def test_attributes_to_get_are_a_projection() -> None:
    projection = read("GetItem", {"AttributesToGet": ["a", "b.c"]}).projection
    assert projection is not None
    assert projection.of({"a": ONE, "b": {"M": {"c": ONE}}, "b.c": TWO}) == {"a": ONE, "b.c": TWO}


def test_legacy_filters_and_key_conditions_go_together_or_alone() -> None:
    key = {"KeyConditions": {"p": {"ComparisonOperator": "EQ", "AttributeValueList": [ONE]}}}
    for params in (key, {**key, "QueryFilter": {"a": {"ComparisonOperator": "NULL"}}}):
        clauses = read("Query", params)
        assert clauses.key_condition is not None
        assert clauses.key_condition.on(("p",), (), {"p": "N"}).hash == (ONE,)
        assert (clauses.filter is not None) is ("QueryFilter" in params)


def test_placeholders_have_255_characters_at_most() -> None:
    def values(length: int) -> dict[str, Any]:
        name = ":" + "v" * (length - 1)
        return {"ConditionExpression": f"a = {name}", "ExpressionAttributeValues": {name: ONE}}

    assert read("PutItem", values(255)).condition is not None
    assert "Syntax error; key" in refused(read, "PutItem", values(256))


def test_key_conditions_go_with_other_expressions() -> None:
    clauses = read(
        "Query",
        {
            "KeyConditions": {"p": {"ComparisonOperator": "EQ", "AttributeValueList": [ONE]}},
            "FilterExpression": "a = :a",
            "ExpressionAttributeValues": {":a": ONE},
        },
    )
    assert clauses.key_condition is not None
    assert clauses.key_condition.on(("p",), (), {"p": "N"}).hash == (ONE,)
    assert clauses.filter is not None
    assert clauses.filter.matches({"a": ONE})


EXPECTED_OF: dict[str, Any] = {"a": ONE, "s": {"S": "hello"}, "l": {"L": [ONE]}}


class TestExpected:
    def _matches(self, operator: str | None = None, **expected: dict[str, Any]) -> bool:
        params: dict[str, Any] = {"Expected": expected}
        if operator is not None:
            params["ConditionalOperator"] = operator
        condition = read("PutItem", params).condition
        assert condition is not None
        return condition.matches(EXPECTED_OF)

    @pytest.mark.parametrize(
        ("name", "operator", "values", "true"),
        [
            ("a", "EQ", [ONE], True),
            ("a", "EQ", [{"S": "1"}], False),
            ("a", "NE", [TWO], True),
            ("gone", "NE", [TWO], True),
            ("a", "LE", [ONE], True),
            ("a", "LT", [ONE], False),
            ("a", "GE", [TWO], False),
            ("a", "GT", [{"N": "0"}], True),
            ("a", "NOT_NULL", [], True),
            ("gone", "NOT_NULL", None, False),
            ("gone", "NULL", None, True),
            ("a", "NULL", [], False),
            ("s", "CONTAINS", [{"S": "ell"}], True),
            ("l", "CONTAINS", [ONE], True),
            ("s", "NOT_CONTAINS", [{"S": "x"}], True),
            ("gone", "CONTAINS", [ONE], False),
            ("gone", "NOT_CONTAINS", [ONE], False),
            ("s", "BEGINS_WITH", [{"S": "he"}], True),
            ("a", "IN", [TWO, ONE], True),
            ("a", "IN", [TWO], False),
            ("a", "BETWEEN", [{"N": "0"}, ONE], True),
            ("a", "BETWEEN", [TWO, TWO], False),
        ],
    )
    def test_comparisons(self, name: str, operator: str, values: list[Any] | None, true: bool) -> None:
        assert self._matches(**{name: {"ComparisonOperator": operator, "AttributeValueList": values}}) is true

    @pytest.mark.parametrize(
        ("expected", "true"),
        [
            ({"Value": ONE}, True),
            ({"Value": TWO}, False),
            ({"Value": ONE, "Exists": True}, True),
            ({"Exists": False}, False),
            ({"Value": ONE, "ComparisonOperator": "EQ"}, True),
        ],
    )
    def test_values_and_existence(self, expected: dict[str, Any], true: bool) -> None:
        assert self._matches(a=expected) is true

    def test_several_are_joined(self) -> None:
        both = {"a": {"Value": ONE}, "s": {"Value": ONE}}
        assert not self._matches(**both)
        assert not self._matches("AND", **both)
        assert self._matches("OR", **both)

    @pytest.mark.parametrize(
        ("expected", "part"),
        [
            ({"Exists": True}, "Value must be provided when Exists is true for Attribute: a"),
            ({}, "Value must be provided when Exists is null for Attribute: a"),
            ({"Exists": False, "Value": ONE}, "Value cannot be used when Exists is false for Attribute: a"),
            (
                {"Exists": False, "ComparisonOperator": "NULL"},
                "Exists and ComparisonOperator cannot be used together for Attribute: a",
            ),
            (
                {"Value": ONE, "ComparisonOperator": "EQ", "AttributeValueList": [ONE]},
                "Value and AttributeValueList cannot be used together for Attribute: a",
            ),
            ({"AttributeValueList": [ONE]}, "AttributeValueList can only be used with a ComparisonOperator"),
            (
                {"ComparisonOperator": "EQ", "AttributeValueList": []},
                "Invalid number of argument(s) for the EQ ComparisonOperator",
            ),
            (
                {"ComparisonOperator": "NULL", "AttributeValueList": [ONE]},
                "Invalid number of argument(s) for the NULL ComparisonOperator",
            ),
            (
                {"ComparisonOperator": "IN", "AttributeValueList": []},
                "Invalid number of argument(s) for the IN ComparisonOperator",
            ),
            (
                {"ComparisonOperator": "LT", "AttributeValueList": [{"L": []}]},
                "ComparisonOperator LT is not valid for L AttributeValue type",
            ),
            (
                {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [ONE]},
                "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type",
            ),
            (
                {"ComparisonOperator": "IN", "AttributeValueList": [ONE, {"S": "x"}]},
                "AttributeValues inside AttributeValueList must all be of the same type",
            ),
            (
                {"ComparisonOperator": "BETWEEN", "AttributeValueList": [TWO, ONE]},
                "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
            ),
        ],
    )
    def test_what_is_refused(self, expected: dict[str, Any], part: str) -> None:
        assert part in refused(self._matches, a=expected)


UPDATED: dict[str, Any] = {"n": ONE, "ss": {"SS": ["a", "b"]}, "l": {"L": [ONE]}, "s": {"S": "x"}}


class TestAttributeUpdates:
    def _apply(self, name: str, action: str | None, value: dict[str, Any] | None) -> dict[str, Any]:
        given: dict[str, Any] = {} if action is None else {"Action": action}
        update = read(
            "UpdateItem", {"AttributeUpdates": {name: given | ({} if value is None else {"Value": value})}}
        ).update
        assert update is not None
        return update.apply(UPDATED)

    @pytest.mark.parametrize(
        ("name", "action", "value", "becomes"),
        [
            ("n", "PUT", {"S": "y"}, {"S": "y"}),
            ("n", None, TWO, TWO),
            ("n", "ADD", TWO, {"N": "3"}),
            ("gone", "ADD", TWO, TWO),
            ("ss", "ADD", {"SS": ["b", "c"]}, {"SS": ["a", "b", "c"]}),
            ("l", "ADD", {"L": [TWO]}, {"L": [ONE, TWO]}),
            ("n", "DELETE", None, None),
            ("ss", "DELETE", {"SS": ["a"]}, {"SS": ["b"]}),
            ("ss", "DELETE", {"SS": ["a", "b"]}, None),
            ("gone", "DELETE", {"SS": ["a"]}, None),
        ],
    )
    def test_actions(self, name: str, action: str | None, value: Any, becomes: Any) -> None:
        assert self._apply(name, action, value).get(name) == becomes

    @pytest.mark.parametrize(
        ("name", "action", "value", "message"),
        [
            (
                "n",
                "ADD",
                None,
                "One or more parameter values were invalid: "
                "Only DELETE action is allowed when no attribute value is specified",
            ),
            (
                "n",
                "ADD",
                {"S": "x"},
                "One or more parameter values were invalid: ADD action is not supported for the type STRING",
            ),
            (
                "n",
                "DELETE",
                ONE,
                "One or more parameter values were invalid: DELETE action is not supported for the type NUMBER",
            ),
            ("s", "ADD", ONE, "Type mismatch for attribute to update"),
            ("ss", "DELETE", {"NS": ["1"]}, "Type mismatch for attribute to update"),
            ("ss", "ADD", {"L": []}, "Type mismatch for attribute to update"),
            ("", "PUT", ONE, "One or more parameter values were invalid: Empty attribute name"),
        ],
    )
    def test_what_is_refused(self, name: str, action: str, value: Any, message: str) -> None:
        assert refused(self._apply, name, action, value) == message

    def test_no_updates_leave_the_item_as_it_is_and_make_one(self) -> None:
        update = read("UpdateItem", {"AttributeUpdates": {}}).update
        assert update is not None
        assert update.apply(UPDATED) == UPDATED
        assert not update.only_removes
