"""Search conditions: what attributes of a vector index's search schema must be like in what a search finds.

Developer Guide, "SearchConditionExpression reference for vector indexes": conditions of the form `attribute operator
:value` on top-level attributes, combined. Of the operators those are here whose meaning is beyond doubt, also where an
item lacks the attribute: comparisons but `<>`, BETWEEN and IN, and AND and OR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from cloudlet.services.dynamodb.expressions import syntax
from cloudlet.services.dynamodb.expressions.condition_grammar import condition_syntax
from cloudlet.services.dynamodb.expressions.conditions import parse_condition
from cloudlet.services.dynamodb.expressions.predicates import Condition
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, said_of
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.item_data.values import Value

_NAME = "SearchConditionExpression"


class Term(msgspec.Struct, frozen=True):
    """A condition on one attribute."""

    attribute: str
    operator: str
    values: tuple[Value, ...]


class SearchCondition(msgspec.Struct, frozen=True):
    """A search condition."""

    condition: Condition
    terms: Sequence[Term]
    """All conditions on single attributes."""
    required: Mapping[str, Value]
    """The values that attributes must have whatever else the condition says."""


def parse_search_condition(text: str, subs: Substitutions) -> SearchCondition:
    """Return a search condition. Raises AwsError."""
    with said_of(_NAME):
        tree = condition_syntax(text)
        terms = list(_terms(tree, subs))
        necessary = [_term(each, subs) for each in _necessary(tree)]
    required = {term.attribute: term.values[0] for term in necessary if term.operator == "="}
    return SearchCondition(parse_condition(text, subs, _NAME), terms, required)


def _necessary(tree: syntax.ConditionSyntax) -> Iterator[syntax.ConditionSyntax]:
    """Return the conditions on single attributes that must all be true."""
    if isinstance(tree, syntax.And):
        for each in tree.conditions:
            yield from _necessary(each)
    elif not isinstance(tree, syntax.Or):
        yield tree


def _terms(tree: syntax.ConditionSyntax, subs: Substitutions) -> Iterator[Term]:
    if isinstance(tree, syntax.And | syntax.Or):
        for each in tree.conditions:
            yield from _terms(each, subs)
    else:
        yield _term(tree, subs)


def _term(tree: syntax.ConditionSyntax, subs: Substitutions) -> Term:
    if isinstance(tree, syntax.Comparison):
        if tree.comparator == "<>":
            raise ExpressionProblem(f"Invalid comparator used in {_NAME}")
        return _of(tree.left, tree.comparator, (tree.right,), subs)
    if isinstance(tree, syntax.Between):
        return _of(tree.operand, "BETWEEN", (tree.lower, tree.upper), subs)
    if isinstance(tree, syntax.In):
        return _of(tree.operand, "IN", tree.members, subs)
    raise ExpressionProblem(f"Invalid operator used in {_NAME}")


def _of(attribute: syntax.Operand, operator: str, values: Sequence[syntax.Operand], subs: Substitutions) -> Term:
    given = tuple([subs.value(each.name) for each in values if isinstance(each, syntax.Placeholder)])
    if not isinstance(attribute, syntax.PathSyntax) or len(given) != len(values):
        raise ExpressionProblem(f"A condition of a {_NAME} compares an attribute with values")
    path = subs.path(attribute)
    if len(path) > 1:
        raise ExpressionProblem(f"{_NAME}s cannot have conditions on nested attributes")
    return Term(str(path[0]), operator, given)
