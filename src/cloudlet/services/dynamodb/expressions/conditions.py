"""Condition and filter expressions: from their text to what can be asked of an item."""

from __future__ import annotations

from cloudlet.services.dynamodb.expressions import predicates, problems, syntax
from cloudlet.services.dynamodb.expressions.condition_grammar import condition_syntax
from cloudlet.services.dynamodb.expressions.operands import (
    Attribute,
    Constant,
    Operand,
    Size,
    check_constant,
    check_distinct,
    check_function,
    operand,
)
from cloudlet.services.dynamodb.expressions.predicates import ORDERING, Condition
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, said_of
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.item_data.values import Value, compare, to_api

_Single = syntax.Comparison | syntax.Between | syntax.In | syntax.Call
_Known = dict[_Single, Condition]

_LONG = 512
"""Characters of an expression that may say the same many times."""
ORDERED_TYPES = ("S", "N", "B")
_MOST_MEMBERS = 100
"""Values that IN may list (Developer Guide, "Making comparisons")."""
TYPE_NAMES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")


def parse_condition(text: str, subs: Substitutions, kind: str = "ConditionExpression") -> Condition:
    """Return a condition; `kind` is the parameter's name, ConditionExpression or FilterExpression. Raises AwsError."""
    with said_of(kind):
        return _condition(condition_syntax(text), subs, {} if len(text) > _LONG else None)


def _condition(tree: syntax.ConditionSyntax, subs: Substitutions, known: _Known | None) -> Condition:
    """Return the condition of a tree; of those that are `known` already, each is made, and looked at, once."""
    if isinstance(tree, syntax.And):
        return predicates.All([_condition(inner, subs, known) for inner in tree.conditions])
    if isinstance(tree, syntax.Or):
        return predicates.AnyOf([_condition(inner, subs, known) for inner in tree.conditions])
    if isinstance(tree, syntax.Not):
        return predicates.Negation(_condition(tree.condition, subs, known))
    if known is None:
        return _single(tree, subs)
    condition = known.get(tree)
    if condition is None:
        condition = known[tree] = predicates.Once(_single(tree, subs))
    return condition


def _single(tree: _Single, subs: Substitutions) -> Condition:
    if isinstance(tree, syntax.Comparison):
        return _comparison(tree, subs)
    if isinstance(tree, syntax.Between):
        return _between(tree, subs)
    if isinstance(tree, syntax.In):
        return _in(tree, subs)
    return _function(tree, subs)


def _comparison(tree: syntax.Comparison, subs: Substitutions) -> Condition:
    left, right = operand(tree.left, subs), operand(tree.right, subs)
    check_distinct(tree.comparator, left, (right,))
    if tree.comparator in ORDERING:
        for side in (left, right):
            check_constant(tree.comparator, side, ORDERED_TYPES)
        return predicates.Ordered(tree.comparator, left, right)
    equals = predicates.Equals(left, right)
    return equals if tree.comparator == "=" else predicates.Negation(equals)


def _between(tree: syntax.Between, subs: Substitutions) -> Condition:
    value, lower, upper = (operand(side, subs) for side in (tree.operand, tree.lower, tree.upper))
    check_distinct("BETWEEN", value, (lower, upper))
    for side in (value, lower, upper):
        check_constant("BETWEEN", side, ORDERED_TYPES)
    if isinstance(lower, Constant) and isinstance(upper, Constant):
        check_bounds(lower.constant, upper.constant)
    return predicates.IsBetween(value, lower, upper)


def check_bounds(lower: Value, upper: Value) -> None:
    """Raise ExpressionProblem for bounds of BETWEEN that nothing can be between."""
    order = compare(lower, upper)
    if order is None:
        requirement = "same data type for lower and upper bounds"
    elif order > 0:
        requirement = "upper bound to be greater than or equal to lower bound"
    else:
        return
    raise ExpressionProblem(
        f"The BETWEEN operator requires {requirement}; "
        f"lower bound operand: {to_api(lower)}, upper bound operand: {to_api(upper)}"
    )


def _in(tree: syntax.In, subs: Substitutions) -> Condition:
    if len(tree.members) > _MOST_MEMBERS:
        raise problems.wrong_number_of_operands("IN", len(tree.members))
    value = operand(tree.operand, subs)
    members = tuple([operand(member, subs) for member in tree.members])
    check_distinct("IN", value, members)
    return predicates.IsIn.of(value, members)


def _function(call: syntax.Call, subs: Substitutions) -> Condition:
    check_function(call)
    if call.function == "size":
        raise problems.function_misplaced("size")
    expected = 1 if call.function in ("attribute_exists", "attribute_not_exists") else 2
    if len(call.operands) != expected:
        raise problems.wrong_number_of_operands(call.function, len(call.operands))
    operands = [operand(side, subs) for side in call.operands]
    if expected == 1:
        if not isinstance(operands[0], Attribute):
            raise problems.path_required(call.function)
        exists = predicates.Exists(operands[0])
        return exists if call.function == "attribute_exists" else predicates.Negation(exists)
    value, other = operands
    if call.function == "attribute_type":
        return predicates.IsOfType(value, _type_name(other))
    check_distinct(call.function, value, (other,))
    if call.function == "contains":
        return predicates.Contains(value, other)
    for side in (value, other):
        check_constant("begins_with", side, ("S", "B"))
    return predicates.BeginsWith(value, other)


def _type_name(operand: Operand) -> str:
    if not isinstance(operand, Constant):
        raise problems.wrong_operand_type("attribute_type", "N" if isinstance(operand, Size) else "PATH")
    check_constant("attribute_type", operand, ("S",))
    name: str = operand.constant["S"]
    if name not in TYPE_NAMES:
        raise ExpressionProblem(
            f"Invalid attribute type name found; type: {name}, valid types: {{{','.join(TYPE_NAMES)}}}"
        )
    return name
