"""Which items a statement is about, once it is known what the keys of its table or index are.

Developer Guide, "PartiQL select statements for DynamoDB": `=` or IN on the partition key makes a query, anything else
a scan; writes name the whole key with `=`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import cast

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions import AttributeCondition, Condition, KeyCondition
from cloudlet.services.dynamodb.expressions.key_conditions import Comparison
from cloudlet.services.dynamodb.expressions.operands import Attribute, Constant, Operand
from cloudlet.services.dynamodb.expressions.predicates import (
    All,
    AnyOf,
    BeginsWith,
    Equals,
    IsBetween,
    IsIn,
    Ordered,
)
from cloudlet.services.dynamodb.item_data.keys import KeySchema
from cloudlet.services.dynamodb.item_data.values import Item, Value, compare

_encode = msgspec.msgpack.Encoder().encode
_MOST_PARTITIONS = 50
"""API Reference, ExecuteStatement: IN takes up to 50 values of a partition key."""


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a SELECT reads: the parts of the table or index, one after the other, and what is left out of them."""

    ranges: Sequence[KeyCondition] | None
    """None is for all of it."""
    rest: Condition | None
    descending: bool = False


def read_plan(where: Condition | None, schema: KeySchema, order: Sequence[tuple[str, bool]]) -> ReadPlan:
    """Return how to read what WHERE and ORDER BY ask for, by keys of one attribute each. Raises AwsError."""
    terms = list(_terms(where))
    name = schema.hash[0][0]
    found = next(((term, values) for term in terms if (values := _values_of(term, name)) is not None), None)
    if found is None:
        _check_unordered(where, order)
        return ReadPlan(None, where)
    terms.remove(found[0])
    values = _distinct(found[1])
    if len(values) > _MOST_PARTITIONS:
        raise validation(f"WHERE clause names more than {_MOST_PARTITIONS} values of the partition key")
    conditions: list[AttributeCondition] = []
    for sort_name, _ in schema.range:
        bound = next(((term, one) for term in terms if (one := _range_condition(term, sort_name)) is not None), None)
        if bound is not None:
            terms.remove(bound[0])
            conditions.append(bound[1])
    values, descending = _ordered(values, schema, order)
    ranges = [KeyCondition([AttributeCondition(name, "=", (value,)), *conditions]) for value in values]
    return ReadPlan(ranges, _joined(terms), descending)


def key_of(where: Condition, schema: KeySchema) -> tuple[Item, Condition | None]:
    """Return the key that WHERE names with `=`, and what else it says. Raises AwsError where it names no key."""
    terms = list(_terms(where))
    key: Item = {}
    for name in schema.names:
        term = next((term for term in terms if _is_equality(term, name)), None)
        values = None if term is None else _values_of(term, name)
        if term is None or values is None:
            raise no_key()
        terms.remove(term)
        key[name] = values[0]
    return key, _joined(terms)


def no_key() -> AwsError:
    return validation("Where clause does not contain a mandatory equality on all key attributes")


def _terms(where: Condition | None) -> Sequence[Condition]:
    """Return the conditions that must all be true."""
    if where is None:
        return ()
    if isinstance(where, All):
        return [term for inner in where.conditions for term in _terms(inner)]
    return (where,)


def _joined(terms: Sequence[Condition]) -> Condition | None:
    if not terms:
        return None
    return terms[0] if len(terms) == 1 else All(terms)


def _is(operand: Operand, name: str) -> bool:
    return isinstance(operand, Attribute) and operand.path == (name,)


def _is_equality(term: Condition, name: str) -> bool:
    return isinstance(term, Equals) and _is(term.left, name) and isinstance(term.right, Constant)


def _values_of(term: Condition, name: str) -> list[Value] | None:
    """Return the values of which a condition wants an attribute to be one; None where it says something else."""
    if isinstance(term, Equals) and _is(term.left, name) and isinstance(term.right, Constant):
        return [term.right.constant]
    if isinstance(term, IsIn) and _is(term.operand, name):
        values = [member.constant for member in term.members if isinstance(member, Constant)]
        return values if len(values) == len(term.members) else None
    if isinstance(term, AnyOf):
        found: list[Value] = []
        for alternative in term.conditions:
            values_of_one = _values_of(alternative, name)
            if values_of_one is None:
                return None
            found += values_of_one
        return found
    return None


def _distinct(values: Sequence[Value]) -> list[Value]:
    """Return each value once, in the order in which they come first: there may be thousands."""
    found: dict[bytes, Value] = {}
    for value in values:
        found.setdefault(_encode(value), value)
    return list(found.values())


def _range_condition(term: Condition, name: str) -> AttributeCondition | None:
    if isinstance(term, Equals) and _is(term.left, name) and isinstance(term.right, Constant):
        return AttributeCondition(name, "=", (term.right.constant,))
    if isinstance(term, Ordered) and _is(term.left, name) and isinstance(term.right, Constant):
        return AttributeCondition(name, cast(Comparison, term.comparator), (term.right.constant,))
    if isinstance(term, IsBetween) and _is(term.operand, name):
        if isinstance(term.lower, Constant) and isinstance(term.upper, Constant):
            return AttributeCondition(name, "BETWEEN", (term.lower.constant, term.upper.constant))
    elif isinstance(term, BeginsWith) and _is(term.operand, name) and isinstance(term.prefix, Constant):
        return AttributeCondition(name, "begins_with", (term.prefix.constant,))
    return None


# -- ORDER BY


def _check_unordered(where: Condition | None, order: Sequence[tuple[str, bool]]) -> None:
    if order:
        if where is None:
            raise validation("Must have WHERE clause in the statement when using ORDER BY clause.")
        raise validation(
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
        )


@cmp_to_key
def _by_order(one: Value, other: Value) -> int:
    return compare(one, other) or 0


def _ordered(values: list[Value], schema: KeySchema, order: Sequence[tuple[str, bool]]) -> tuple[list[Value], bool]:
    """Return partition keys in the order that is asked for, and whether each is to be read from its end."""
    hash_name, range_names = schema.hash[0][0], [name for name, _ in schema.range]
    for name, downwards in order:
        if name == hash_name:
            values = sorted(values, key=_by_order, reverse=downwards)
        elif name not in range_names:
            raise validation(f"Variable reference {name} in ORDER BY clause must be part of the primary key")
        elif len(values) > 1 and order[0][0] != hash_name:
            raise validation(
                "ORDER BY a sort key across several partitions is not supported: order by the partition key first"
            )
    directions = {downwards for name, downwards in order if name in range_names}
    if len(directions) > 1:
        raise validation("ORDER BY takes a sort key in one direction")
    return values, directions == {True}
