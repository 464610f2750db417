"""Which items a statement is about, once it is known what the keys of its table or index are.

Developer Guide, "PartiQL select statements for DynamoDB": `=` or IN on the partition key makes a query, anything else
a scan; writes name the whole key with `=`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from math import prod
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
from cloudlet.services.dynamodb.keys import KeySchema
from cloudlet.services.dynamodb.values import Item, Value, compare

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
    """Return how to read what WHERE and ORDER BY ask for. Raises AwsError."""
    terms = list(_terms(where))
    fixed: list[tuple[str, list[Value]]] = []
    for name, _ in schema.hash:
        found = next(((term, values) for term in terms if (values := _values_of(term, name)) is not None), None)
        if found is None:
            _check_unordered(where, order)
            return ReadPlan(None, where)
        terms.remove(found[0])
        fixed.append((name, _distinct(found[1])))
    conditions: list[AttributeCondition] = []
    for name, _ in schema.range:
        bound = next(((term, one) for term in terms if (one := _range_condition(term, name)) is not None), None)
        if bound is None:
            break
        terms.remove(bound[0])
        conditions.append(bound[1])
        if bound[1].comparison != "=":
            break
    ranges = [KeyCondition([*hashes, *conditions]) for hashes in _combinations(fixed)]
    ranges, descending = _ordered(ranges, fixed, schema, order)
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


def _combinations(fixed: Sequence[tuple[str, list[Value]]]) -> list[list[AttributeCondition]]:
    """Return every choice of one value for each hash attribute. Raises AwsError for too many."""
    if prod([len(values) for _, values in fixed]) > _MOST_PARTITIONS:
        raise validation(f"WHERE clause names more than {_MOST_PARTITIONS} values of the partition key")
    combinations: list[list[AttributeCondition]] = [[]]
    for name, values in fixed:
        combinations = [
            [*chosen, AttributeCondition(name, "=", (value,))] for chosen in combinations for value in values
        ]
    return combinations


# -- ORDER BY


def _check_unordered(where: Condition | None, order: Sequence[tuple[str, bool]]) -> None:
    if order:
        if where is None:
            raise validation("Must have WHERE clause in the statement when using ORDER BY clause.")
        raise validation(
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
        )


def _ordered(
    ranges: list[KeyCondition],
    fixed: Sequence[tuple[str, list[Value]]],
    schema: KeySchema,
    order: Sequence[tuple[str, bool]],
) -> tuple[list[KeyCondition], bool]:
    """Return the ranges in the order that is asked for, and whether each is to be read from its end."""
    hash_names = [name for name, _ in schema.hash]
    range_names = [name for name, _ in schema.range]
    for name, downwards in order:
        if name in range_names:
            if len(ranges) > 1 and order[0][0] not in hash_names:
                raise validation(
                    "ORDER BY a sort key across several partitions is not supported: order by the partition key first"
                )
        elif name in hash_names:
            if len(ranges) > 1:
                ranges = _sorted(ranges, fixed, name, downwards)
        else:
            raise validation(f"Variable reference {name} in ORDER BY clause must be part of the primary key")
    return ranges, _is_descending(ranges[0], range_names, [each for each in order if each[0] in range_names])


def _is_descending(read: KeyCondition, range_names: Sequence[str], order: Sequence[tuple[str, bool]]) -> bool:
    """Whether a range is to be read from its end. Raises AwsError for an order that it is in neither way."""
    varying = [name for name in range_names if not read.equal_to(name)]
    wanted = [name for name, _ in order if name in varying]
    directions = {downwards for _, downwards in order}
    if wanted != varying[: len(wanted)] or len(directions) > 1:
        raise validation("ORDER BY takes the attributes of a sort key in their order, all of them in one direction")
    return directions == {True}


def _sorted(
    ranges: list[KeyCondition], fixed: Sequence[tuple[str, list[Value]]], name: str, downwards: bool
) -> list[KeyCondition]:
    if len(fixed) > 1:
        raise validation("ORDER BY a partition key of several attributes with IN is not supported")
    values = fixed[0][1]

    def in_order(one: int, other: int) -> int:
        return compare(values[one], values[other]) or 0

    places = sorted(range(len(values)), key=cmp_to_key(in_order), reverse=downwards)
    return [ranges[place] for place in places]
