"""Key conditions: which part of a table or index a query reads.

Developer Guide, "Key condition expressions for the Query operation in DynamoDB"; for keys of several attributes,
"Multi-attribute keys pattern": every hash attribute is compared with `=`, range attributes from the left without a
gap, and only the last of those otherwise than with `=`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.expressions import problems, syntax
from cloudlet.services.dynamodb.expressions.condition_grammar import condition_syntax
from cloudlet.services.dynamodb.expressions.conditions import ORDERED_TYPES, check_bounds
from cloudlet.services.dynamodb.expressions.operands import CONDITION_FUNCTIONS, UPDATE_FUNCTIONS
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, said_of
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.item_data.values import Value, type_of

Comparison = Literal["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"]
_MIRRORED: dict[str, Comparison] = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class AttributeCondition(msgspec.Struct, frozen=True):
    """One condition on a key attribute: `values` are two for BETWEEN (lower, upper), else one."""

    attribute: str
    comparison: Comparison
    values: tuple[Value, ...]


class KeyRange(msgspec.Struct, frozen=True):
    """What a query reads of one table or index."""

    hash: tuple[Value, ...]
    """A value of each hash attribute, in the schema's order."""
    equal: tuple[Value, ...] = ()
    """Values of the leading range attributes."""
    condition: AttributeCondition | None = None
    """A condition other than equality on the range attribute after those."""


class KeyCondition:
    """Conditions on key attributes, before it is known which of them are hash and which range."""

    def __init__(self, conditions: Sequence[AttributeCondition], *, is_legacy: bool = False) -> None:
        self._is_legacy = is_legacy
        self._conditions = {condition.attribute: condition for condition in conditions}

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that it looks at."""
        return frozenset(self._conditions)

    def equal_to(self, name: str) -> tuple[Value, ...]:
        """Return the value that it wants an attribute to have, if it wants it to have one."""
        condition = self._conditions.get(name)
        return condition.values if condition is not None and condition.comparison == "=" else ()

    def on(self, hash_names: Sequence[str], range_names: Sequence[str], types: Mapping[str, str]) -> KeyRange:
        """Return what is read of a table or index with this schema; `types` are the key attributes' (S, N, B).

        Raises AwsError.
        """
        conditions = self._conditions
        composite = len(hash_names) > 1 or len(range_names) > 1
        most = len(hash_names) + len(range_names)
        if len(conditions) > max(2, most):
            if self._is_legacy and most <= 2:
                raise validation("Conditions can be of length 1 or 2 only")
            raise validation(
                f"The number of query conditions ({len(conditions)}) exceeds the number of key attributes defined in "
                f"the schema ({most})"
            )
        for name in hash_names:
            if name not in conditions:
                raise _hash_without_equality() if composite else _missing(name)
        leading = _leading(range_names, conditions)
        for name in conditions:
            if name not in hash_names and name not in leading:
                raise _misplaced(name, range_names, leading)
        for condition in conditions.values():
            _check_types(condition, types[condition.attribute])
        for name in hash_names:
            if conditions[name].comparison != "=":
                raise _hash_without_equality() if composite else _not_supported()
        for name, following in pairwise(leading):
            if conditions[name].comparison != "=":
                raise _range_without_equality([name], following)
        return _key_range(conditions, hash_names, leading)


def parse_key_condition(text: str, subs: Substitutions) -> KeyCondition:
    """Return key conditions. Raises AwsError."""
    with said_of("KeyConditionExpression"):
        tree = condition_syntax(text)
        parts = tree.conditions if isinstance(tree, syntax.And) else (tree,)
        conditions = [_condition(part, subs) for part in parts]
        names = [condition.attribute for condition in conditions]
        if len(set(names)) < len(names):
            raise ExpressionProblem("KeyConditionExpressions must only contain one condition per key")
    return KeyCondition(conditions)


def _leading(range_names: Sequence[str], conditions: Mapping[str, AttributeCondition]) -> list[str]:
    """Return the range attributes, from the left, that have a condition each."""
    leading: list[str] = []
    for name in range_names:
        if name not in conditions:
            break
        leading.append(name)
    return leading


def _misplaced(name: str, range_names: Sequence[str], leading: Sequence[str]) -> AwsError:
    """Return the error about a condition on what is no key attribute, or not the one whose turn it is."""
    if name in range_names:
        return _range_without_equality(range_names[len(leading) : range_names.index(name)], name)
    return _missing(range_names[len(leading)]) if len(leading) < len(range_names) else _not_supported()


def _key_range(
    conditions: Mapping[str, AttributeCondition], hash_names: Sequence[str], leading: Sequence[str]
) -> KeyRange:
    hashes = tuple([conditions[name].values[0] for name in hash_names])
    last = conditions[leading[-1]] if leading else None
    if last is None or last.comparison == "=":
        return KeyRange(hashes, tuple([conditions[name].values[0] for name in leading]))
    return KeyRange(hashes, tuple([conditions[name].values[0] for name in leading[:-1]]), last)


def _check_types(condition: AttributeCondition, kind: str) -> None:
    for value in condition.values:
        if kind not in value:
            raise invalid_values("Condition parameter type does not match schema type")
        if kind != "N" and not value[kind]:
            raise invalid_values(
                "The AttributeValue for a key attribute cannot contain an empty "
                f"{'string' if kind == 'S' else 'binary'} value. Key: {condition.attribute}"
            )


def _missing(name: str) -> AwsError:
    return validation(f"Query condition missed key schema element: {name}")


def _not_supported() -> AwsError:
    return validation("Query key condition not supported")


def _hash_without_equality() -> AwsError:
    return validation("Query key condition not supported: all HASH key attributes need an equality condition")


def _range_without_equality(names: Sequence[str], name: str) -> AwsError:
    return validation(
        f"RANGE key attributes {', '.join(names)} must have equality conditions specified in the query because a "
        f"condition is present on key attribute {name}"
    )


# -- the expression's parts


def _condition(tree: syntax.ConditionSyntax, subs: Substitutions) -> AttributeCondition:
    if isinstance(tree, syntax.Comparison):
        return _comparison(tree, subs)
    if isinstance(tree, syntax.Between):
        name = _attribute(tree.operand, subs)
        bounds = (_ordered("BETWEEN", tree.lower, subs), _ordered("BETWEEN", tree.upper, subs))
        check_bounds(*bounds)
        return AttributeCondition(name, "BETWEEN", bounds)
    if isinstance(tree, syntax.Call):
        return _begins_with(tree, subs)
    operators = {syntax.In: "IN", syntax.Not: "NOT", syntax.And: "AND", syntax.Or: "OR"}
    raise _invalid_operator(operators[type(tree)])


def _comparison(tree: syntax.Comparison, subs: Substitutions) -> AttributeCondition:
    if tree.comparator == "<>":
        raise _invalid_operator("<>")
    comparison = _MIRRORED[tree.comparator]
    left, right = tree.left, tree.right
    if isinstance(left, syntax.Placeholder) and not isinstance(right, syntax.Placeholder):
        left, right = right, left
    else:
        comparison = _MIRRORED[comparison]
    name = _attribute(left, subs)
    value = _value(right, subs) if comparison == "=" else _ordered(tree.comparator, right, subs)
    return AttributeCondition(name, comparison, (value,))


def _begins_with(call: syntax.Call, subs: Substitutions) -> AttributeCondition:
    function = call.function
    if function != "begins_with":
        if function not in (*CONDITION_FUNCTIONS, *UPDATE_FUNCTIONS, "size"):
            raise problems.unknown_function(function)
        raise _invalid_operator(function)
    if len(call.operands) != 2:
        raise problems.wrong_number_of_operands(function, len(call.operands))
    name, prefix = _attribute(call.operands[0], subs), _value(call.operands[1], subs)
    if type_of(prefix) not in ("S", "B"):
        raise problems.wrong_operand_type(function, type_of(prefix))
    return AttributeCondition(name, "begins_with", (prefix,))


def _attribute(operand: syntax.Operand, subs: Substitutions) -> str:
    if isinstance(operand, syntax.Placeholder):
        subs.value(operand.name)
        raise ExpressionProblem(
            "Invalid condition in KeyConditionExpression: No key attribute names used in one condition"
        )
    if isinstance(operand, syntax.Call):
        raise ExpressionProblem("KeyConditionExpressions cannot contain nested operations")
    path = subs.path(operand)
    if len(path) > 1:
        raise ExpressionProblem("KeyConditionExpressions cannot have conditions on nested attributes")
    return str(path[0])


def _value(operand: syntax.Operand, subs: Substitutions) -> Value:
    if isinstance(operand, syntax.PathSyntax):
        raise ExpressionProblem(
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"
        )
    if isinstance(operand, syntax.Call):
        raise ExpressionProblem("KeyConditionExpressions cannot contain nested operations")
    return subs.value(operand.name)


def _ordered(operator: str, operand: syntax.Operand, subs: Substitutions) -> Value:
    """Return the value of an operand that an operator compares by order."""
    value = _value(operand, subs)
    if type_of(value) not in ORDERED_TYPES:
        raise problems.wrong_operand_type(operator, type_of(value))
    return value


def _invalid_operator(name: str) -> ExpressionProblem:
    return ExpressionProblem(f"Invalid operator used in KeyConditionExpression: {name}")
