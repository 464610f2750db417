"""Reads an expression; the grammar is in `parser.lark`."""

from __future__ import annotations

import re
from functools import lru_cache

from cloudlet.core.aws.language import Language, NestingTooDeep, ParseError
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem
from cloudlet.services.cloudwatch.expressions.syntax import Array, Call, Name, Negation, Node, Number, Operation, Text

_DEEPEST = 50
_MOST_POWERS = 5
"""Of powers of powers without brackets."""
_ESCAPED = re.compile(r"\\(['\"])")


@lru_cache(maxsize=1000)
def parse(expression: str) -> Node:
    """Return what an expression is made of. Raises ExpressionProblem."""
    try:
        return _LANGUAGE.read(expression)
    except NestingTooDeep:
        raise _too_deep() from None
    except ParseError as problem:
        if not problem.is_word:
            raise ExpressionProblem(f"Unexpected character at position {problem.start + 1}") from None
        if not problem.word:
            raise ExpressionProblem("Unexpected end of the expression") from None
        raise ExpressionProblem(f"Unexpected '{problem.word}' at position {problem.start + 1}") from None


def _too_deep() -> ExpressionProblem:
    return ExpressionProblem("The expression is nested too deeply")


def _signed(operand: Node, signs: int) -> Node:
    return Negation(operand) if signs % 2 else operand


class _Meaning:
    def NUMBER(self, text: str) -> Node:
        return Number(float(text))

    def NAME(self, text: str) -> Node:
        return Name(str(text))

    def TEXT(self, text: str) -> Node:
        return Text(_ESCAPED.sub(r"\1", text[1:-1]))

    def either(self, left: Node, right: Node) -> Node:
        return Operation("OR", left, right)

    def both(self, left: Node, right: Node) -> Node:
        return Operation("AND", left, right)

    def operation(self, left: Node, operator: str, right: Node) -> Node:
        return Operation(str(operator), left, right)

    def signed(self, *parts: Node) -> Node:
        return _signed(parts[-1], len(parts) - 1)

    def exponent(self, *parts: Node) -> tuple[Node, int]:
        return parts[-1], len(parts) - 1

    def power(self, base: Node, *exponents: tuple[Node, int]) -> Node:
        if len(exponents) > _MOST_POWERS:
            raise _too_deep()
        node, signs = exponents[-1]
        for under, more in reversed(((base, 0), *exponents[:-1])):
            node, signs = Operation("^", under, _signed(node, signs)), more
        return node

    def call(self, name: Name, *arguments: Node) -> Node:
        return Call(name.name, arguments)

    def array(self, *items: Node) -> Node:
        if not items:
            raise ExpressionProblem("An array must not be empty")
        return Array(items)


_LANGUAGE: Language[Node] = Language(__file__, _Meaning(), _DEEPEST)
