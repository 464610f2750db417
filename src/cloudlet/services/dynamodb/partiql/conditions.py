"""The conditions of WHERE: comparisons, BETWEEN, IN, IS, functions, NOT, AND, OR and parentheses.

Developer Guide, "PartiQL arithmetic, comparison, and logical operators for DynamoDB"; "Use PartiQL functions with
DynamoDB".
"""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions import Condition
from cloudlet.services.dynamodb.expressions.conditions import ORDERED_TYPES, TYPE_NAMES, check_bounds
from cloudlet.services.dynamodb.expressions.operands import Attribute, Constant, Operand, Size, check_constant
from cloudlet.services.dynamodb.expressions.predicates import (
    ORDERING,
    All,
    AnyOf,
    BeginsWith,
    Contains,
    Equals,
    Exists,
    IsBetween,
    IsIn,
    IsOfType,
    Negation,
    Ordered,
)
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem
from cloudlet.services.dynamodb.partiql.reader import Reader

_MOST_MEMBERS = 100
"""Values of IN; of those of a partition key there may be fewer (`plans`)."""
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def where(reader: Reader) -> Condition:
    """Read the condition that follows WHERE. Raises AwsError."""
    try:
        return _condition(reader)
    except ExpressionProblem as problem:
        raise validation(str(problem)) from None


def _condition(reader: Reader) -> Condition:
    alternatives = [_conjunction(reader)]
    while reader.accept("OR"):
        alternatives.append(_conjunction(reader))
    return alternatives[0] if len(alternatives) == 1 else AnyOf(alternatives)


def _conjunction(reader: Reader) -> Condition:
    terms = [_negation(reader)]
    while reader.accept("AND"):
        terms.append(_negation(reader))
    return terms[0] if len(terms) == 1 else All(terms)


def _negation(reader: Reader) -> Condition:
    negated = False
    while reader.accept("NOT"):
        negated = not negated
    inner = _primary(reader)
    return Negation(inner) if negated else inner


def _primary(reader: Reader) -> Condition:
    if reader.accept("("):
        reader.deeper()
        inner = _condition(reader)
        reader.less_deep()
        reader.expect(")")
        return inner
    function = _function_name(reader)
    if function is not None and function != "SIZE":
        return _function(reader, function)
    return _comparison(reader, _operand(reader))


def _comparison(reader: Reader, left: Operand) -> Condition:
    if reader.accept("IS"):
        return _is(reader, left)
    negated = reader.accept("NOT")
    found: Condition
    if reader.accept("BETWEEN"):
        lower = _operand(reader)
        reader.expect("AND")
        found = _between(left, lower, _operand(reader))
    elif reader.accept("IN"):
        found = IsIn.of(left, _members(reader))
    elif negated:
        raise reader.unexpected()
    else:
        return _compared(reader, left)
    return Negation(found) if negated else found


def _between(operand: Operand, lower: Operand, upper: Operand) -> Condition:
    for side in (lower, upper):
        check_constant("BETWEEN", side, ORDERED_TYPES)
    if isinstance(lower, Constant) and isinstance(upper, Constant):
        check_bounds(lower.constant, upper.constant)
    return IsBetween(operand, lower, upper)


def _compared(reader: Reader, left: Operand) -> Condition:
    comparator = reader.token.keyword
    if comparator not in ("=", "<>", "!=", *ORDERING):
        raise reader.unexpected()
    reader.take()
    right = _operand(reader)
    if isinstance(left, Constant) and not isinstance(right, Constant):
        left, right, comparator = right, left, _MIRRORED.get(comparator, comparator)
    if comparator in ORDERING:
        check_constant(comparator, right, ORDERED_TYPES)
        return Ordered(comparator, left, right)
    equals = Equals(left, right)
    return equals if comparator == "=" else Negation(equals)


def _is(reader: Reader, operand: Operand) -> Condition:
    negated = reader.accept("NOT")
    if reader.accept("MISSING"):
        found: Condition = Negation(Exists(operand))
    elif reader.accept("NULL"):
        found = IsOfType(operand, "NULL")
    else:
        raise reader.unexpected()
    return Negation(found) if negated else found


def _members(reader: Reader) -> tuple[Operand, ...]:
    closing = "]" if reader.accept("[") else ")"
    if closing == ")":
        reader.expect("(")
    members = [_operand(reader)]
    while reader.accept(","):
        members.append(_operand(reader))
    reader.expect(closing)
    if len(members) > _MOST_MEMBERS:
        raise validation(f"The IN operator is provided with more than {_MOST_MEMBERS} values")
    return tuple(members)


def _operand(reader: Reader) -> Operand:
    if reader.at_value():
        return Constant(reader.value())
    if _function_name(reader) != "SIZE":
        return Attribute(reader.path())
    reader.take()
    reader.expect("(")
    reader.deeper()
    inner = _operand(reader)
    reader.less_deep()
    reader.expect(")")
    if isinstance(inner, Size):
        raise validation("SIZE of a number is not defined")
    return Size(inner)


def _function_name(reader: Reader) -> str | None:
    token = reader.token
    return token.keyword if token.kind == "word" and reader.follows(token.keyword, "(") else None


def _function(reader: Reader, function: str) -> Condition:
    if function not in ("BEGINS_WITH", "CONTAINS", "ATTRIBUTE_TYPE"):
        raise unsupported_function(reader.token.text)
    reader.take()
    reader.expect("(")
    first = _operand(reader)
    reader.expect(",")
    second = _operand(reader)
    reader.expect(")")
    if function == "BEGINS_WITH":
        check_constant("begins_with", second, ("S", "B"))
        return BeginsWith(first, second)
    if function == "CONTAINS":
        return Contains(first, second)
    kind = second.constant.get("S") if isinstance(second, Constant) else None
    if kind not in TYPE_NAMES:
        raise validation(f"Invalid attribute type name found; type: {kind}, valid types: {{{','.join(TYPE_NAMES)}}}")
    return IsOfType(first, kind)


def unsupported_function(name: str) -> AwsError:
    """The error of a function that DynamoDB does not have here."""
    return validation(f"Unsupported function: {name}")
