"""Comparison operators with their lists of values, as Expected, QueryFilter and ScanFilter have them.

API Reference, Condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.expressions import Condition
from cloudlet.services.dynamodb.expressions.operands import Attribute, Constant
from cloudlet.services.dynamodb.expressions.predicates import (
    All,
    AnyOf,
    BeginsWith,
    Contains,
    Equals,
    Exists,
    IsBetween,
    IsIn,
    Negation,
    Ordered,
)
from cloudlet.services.dynamodb.item_data.values import SETS, Value, check_name, checked_value, compare, type_of

_SCALARS = ("S", "N", "B")
_EVERYTHING = (*_SCALARS, *SETS, "M", "L", "BOOL", "NULL")
_TYPES = {
    "EQ": _EVERYTHING,
    "NE": _EVERYTHING,
    "CONTAINS": (*_SCALARS, "BOOL", "NULL"),
    "NOT_CONTAINS": (*_SCALARS, "BOOL", "NULL"),
    "BEGINS_WITH": ("S", "B"),
}
"""The types of values that an operator takes; the others take scalars."""
_ORDERED = {"LT": "<", "LE": "<=", "GT": ">", "GE": ">="}


def filter_condition(conditions: Mapping[str, Mapping[str, Any]], operator: str | None) -> Condition | None:
    """Return the condition of a QueryFilter or ScanFilter; None for an empty one. Raises AwsError."""
    return combined(
        [
            comparison(name, condition["ComparisonOperator"], condition.get("AttributeValueList"))
            for name, condition in conditions.items()
        ],
        operator,
    )


def combined(conditions: Sequence[Condition], operator: str | None) -> Condition | None:
    """Return conditions as one, joined by AND unless the operator is OR. Raises AwsError."""
    if not conditions:
        return None
    if len(conditions) == 1:
        if operator is not None:
            raise validation("ConditionalOperator can only be used when Filter or Expected has two or more elements")
        return conditions[0]
    return AnyOf(conditions) if operator == "OR" else All(conditions)


def comparison(name: str, operator: str, given: Sequence[Value] | None) -> Condition:
    """Return the condition that compares an attribute. Raises AwsError."""
    check_name(name)
    values = checked_values(operator, given)
    attribute = Attribute((name,))
    constants = tuple([Constant(value) for value in values])
    if operator in _ORDERED:
        return Ordered(_ORDERED[operator], attribute, constants[0])
    if operator == "EQ":
        return Equals(attribute, constants[0])
    if operator == "NE":
        return Negation(Equals(attribute, constants[0]))
    if operator == "NOT_NULL":
        return Exists(attribute)
    if operator == "NULL":
        return Negation(Exists(attribute))
    if operator == "CONTAINS":
        return Contains(attribute, constants[0])
    if operator == "NOT_CONTAINS":
        # Of an attribute that is not there, neither CONTAINS nor NOT_CONTAINS is true.
        return All((Exists(attribute), Negation(Contains(attribute, constants[0]))))
    if operator == "BEGINS_WITH":
        return BeginsWith(attribute, constants[0])
    if operator == "IN":
        return IsIn.of(attribute, constants)
    return IsBetween(attribute, *constants)


def checked_values(operator: str, given: Sequence[Value] | None) -> list[Value]:
    """Return the values that an operator compares with, as many and of such types as it takes. Raises AwsError."""
    values = [checked_value(value) for value in given or ()]
    most = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2, "IN": max(1, len(values))}.get(operator, 1)
    if len(values) != most:
        raise invalid_values(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    kinds = [type_of(value) for value in values]
    for kind in kinds:
        if kind not in _TYPES.get(operator, _SCALARS):
            raise invalid_values(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if len(set(kinds)) > 1:
        raise invalid_values("AttributeValues inside AttributeValueList must all be of the same type")
    if operator == "BETWEEN" and (compare(values[0], values[1]) or 0) > 0:
        raise validation(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )
    return values
