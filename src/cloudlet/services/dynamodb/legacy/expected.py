"""Expected: the condition of a write, by a comparison, a value or mere existence.

API Reference, ExpectedAttributeValue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import invalid_values
from cloudlet.services.dynamodb.expressions import Condition
from cloudlet.services.dynamodb.expressions.operands import Attribute, Constant
from cloudlet.services.dynamodb.expressions.predicates import Equals, Exists, Negation
from cloudlet.services.dynamodb.item_data.values import check_name, checked_value
from cloudlet.services.dynamodb.legacy.comparisons import combined, comparison


def expected_condition(expected: Mapping[str, Mapping[str, Any]], operator: str | None) -> Condition | None:
    """Return the condition; None for an empty one. Raises AwsError."""
    return combined([_one(name, wanted) for name, wanted in expected.items()], operator)


def _one(name: str, wanted: Mapping[str, Any]) -> Condition:
    exists, value, values = wanted.get("Exists"), wanted.get("Value"), wanted.get("AttributeValueList")
    operator = wanted.get("ComparisonOperator")
    if operator is not None:
        if exists is not None:
            raise _about(name, "Exists and ComparisonOperator cannot be used together")
        if value is not None and values is not None:
            raise _about(name, "Value and AttributeValueList cannot be used together")
        if value is None and values is None and operator not in ("NULL", "NOT_NULL"):
            raise _about(name, f"Value or AttributeValueList must be used with ComparisonOperator: {operator}")
        return comparison(name, operator, values if value is None else [value])
    if values is not None:
        raise _about(name, "AttributeValueList can only be used with a ComparisonOperator")
    check_name(name)
    attribute = Attribute((name,))
    if exists is False:
        if value is not None:
            raise _about(name, "Value cannot be used when Exists is false")
        return Negation(Exists(attribute))
    if value is None:
        raise _about(name, f"Value must be provided when Exists is {'null' if exists is None else 'true'}")
    return Equals(attribute, Constant(checked_value(value)))


def _about(name: str, reason: str) -> AwsError:
    return invalid_values(f"{reason} for Attribute: {name}")
