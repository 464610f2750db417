"""KeyConditions: what a query reads.

API Reference, Query; Condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions import AttributeCondition, KeyCondition
from cloudlet.services.dynamodb.expressions.key_conditions import Comparison
from cloudlet.services.dynamodb.legacy.comparisons import checked_values

_COMPARISONS: dict[str, Comparison] = {
    "EQ": "=",
    "LT": "<",
    "LE": "<=",
    "GT": ">",
    "GE": ">=",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
}


def key_conditions(conditions: Mapping[str, Mapping[str, Any]]) -> KeyCondition:
    """Return the key condition. Raises AwsError."""
    return KeyCondition([_one(name, condition) for name, condition in conditions.items()], is_legacy=True)


def _one(name: str, condition: Mapping[str, Any]) -> AttributeCondition:
    operator = condition["ComparisonOperator"]
    values = checked_values(operator, condition.get("AttributeValueList"))
    if operator not in _COMPARISONS:
        raise validation("Attempted conditional constraint is not an indexable operation")
    return AttributeCondition(name, _COMPARISONS[operator], tuple(values))
