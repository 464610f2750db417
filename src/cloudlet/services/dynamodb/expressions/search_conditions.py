"""Search conditions: equalities of attributes with values, all of which hold for what a vector search finds.

API reference, SearchVectors: "The HASH and INLINE_FILTER attributes support only the equality operator."
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudlet.services.dynamodb.expressions import syntax
from cloudlet.services.dynamodb.expressions.condition_grammar import condition_syntax
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, said_of
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.values import Value

_NAME = "SearchConditionExpression"


def parse_search_condition(text: str, subs: Substitutions) -> dict[str, Value]:
    """Return the value that each attribute must have. Raises AwsError."""
    wanted: dict[str, Value] = {}
    with said_of(_NAME):
        for comparison in _comparisons(condition_syntax(text)):
            name, value = _equality(comparison, subs)
            if name in wanted:
                raise ExpressionProblem(f"Only one condition is allowed for each attribute; attribute: {name}")
            wanted[name] = value
    return wanted


def _comparisons(tree: syntax.ConditionSyntax) -> Iterator[syntax.Comparison]:
    if isinstance(tree, syntax.And):
        for each in tree.conditions:
            yield from _comparisons(each)
    elif isinstance(tree, syntax.Comparison):
        yield tree
    else:
        raise ExpressionProblem(f"Invalid operator used in {_NAME}")


def _equality(comparison: syntax.Comparison, subs: Substitutions) -> tuple[str, Value]:
    if comparison.comparator != "=":
        raise ExpressionProblem(f"Invalid comparator used in {_NAME}")
    left, right = comparison.left, comparison.right
    if isinstance(left, syntax.Placeholder):
        left, right = right, left
    if not isinstance(left, syntax.PathSyntax) or not isinstance(right, syntax.Placeholder):
        raise ExpressionProblem(f"A condition of a {_NAME} compares an attribute with a value")
    path = subs.path(left)
    if len(path) > 1:
        raise ExpressionProblem(f"{_NAME}s cannot have conditions on nested attributes")
    return str(path[0]), subs.value(right.name)
