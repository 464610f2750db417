"""The grammar of conditions: comparisons, BETWEEN, IN, functions, NOT, AND, OR and parentheses.

Developer Guide, "Condition and filter expressions, operators, and functions in DynamoDB". Key conditions are read by
the same grammar. Operators bind in this order: comparators, IN and BETWEEN; NOT; AND; OR.
"""

from __future__ import annotations

from typing import TypeAlias, TypeGuard, cast

from cloudlet.services.dynamodb.expressions.parser import Parser
from cloudlet.services.dynamodb.expressions.remembering import remembered
from cloudlet.services.dynamodb.expressions.syntax import (
    And,
    Between,
    Call,
    Comparator,
    Comparison,
    ConditionSyntax,
    In,
    Not,
    Operand,
    Or,
    PathSyntax,
    Placeholder,
)

_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
_BINDING = {"(": 0, "OR": 1, "AND": 2, "NOT": 3, **dict.fromkeys(_COMPARATORS, 4)}

Term: TypeAlias = "Operand | ConditionSyntax"


@remembered
def condition_syntax(text: str) -> ConditionSyntax:
    """Return the tree of a condition. Raises ExpressionProblem."""
    return _ConditionParser(text).read()


def _is_operand(term: Term) -> TypeGuard[Operand]:
    return isinstance(term, PathSyntax | Placeholder | Call)


def _is_condition(term: Term) -> TypeGuard[ConditionSyntax]:
    return not isinstance(term, PathSyntax | Placeholder)


class _ConditionParser:
    """An operator-precedence parser with stacks of its own: expressions may nest deeper than Python's calls."""

    def __init__(self, text: str) -> None:
        self._parser = Parser(text)
        self._terms: list[Term] = []
        self._operators: list[tuple[str, int]] = []
        """Operators and opening parentheses without their right side yet, and their places."""
        self._last_group = (-1, -1)
        """The places of the parentheses that were closed last."""

    def read(self) -> ConditionSyntax:
        while True:
            self._read_prefixes()
            self._terms.append(self._parser.operand())
            if not self._read_suffixes():
                break
        self._reduce(1)
        condition = self._terms[-1]
        if self._operators or not _is_condition(condition):
            raise self._parser.unexpected()
        self._parser.finish()
        return condition

    def _read_prefixes(self) -> None:
        """Read what may stand before an operand: NOT and opening parentheses."""
        while self._parser.follows("NOT", "("):
            if self._parser.follows("NOT"):
                self._parser.count_operator()
            self._push()

    def _read_suffixes(self) -> bool:
        """Read what follows a term, up to where another one must begin; whether there is one."""
        while True:
            if self._parser.follows(")"):
                if not self._close_group():
                    return False
            elif self._parser.follows("BETWEEN"):
                self._between()
            elif self._parser.follows("IN"):
                self._in()
            elif self._parser.follows(*_COMPARATORS):
                self._left_operand()
                self._infix()
                return True
            elif self._parser.follows("AND", "OR"):
                self._reduce(_BINDING[self._parser.token.keyword])
                if not _is_condition(self._terms[-1]):
                    raise self._parser.unexpected()
                self._infix()
                return True
            else:
                return False

    def _infix(self) -> None:
        self._parser.count_operator()
        self._push()

    def _push(self) -> None:
        self._operators.append((self._parser.token.keyword, self._parser.position))
        self._parser.take()

    def _close_group(self) -> bool:
        self._reduce(1)
        if not self._operators:
            return False
        (_, opening), closing = self._operators.pop(), self._parser.position
        if self._last_group == (opening + 1, closing - 1):
            self._parser.note_redundant_parentheses()
        self._last_group = (opening, closing)
        self._parser.take()
        return True

    def _left_operand(self) -> Operand:
        """Return the term that was just read, to be the left side of a comparator."""
        self._reduce(_BINDING["="])
        term = self._terms[-1]
        if not _is_operand(term):
            raise self._parser.unexpected()
        return term

    def _between(self) -> None:
        operand = self._left_operand()
        self._parser.take()
        self._parser.count_operator()
        lower = self._parser.operand()
        self._parser.expect("AND")
        self._terms[-1] = Between(operand, lower, self._parser.operand())

    def _in(self) -> None:
        operand = self._left_operand()
        self._parser.take()
        self._parser.count_operator()
        self._terms[-1] = In(operand, self._parser.list_of_operands())

    def _reduce(self, binding: int) -> None:
        """Apply the operators that bind as strongly as this or more strongly, back to the last open parenthesis."""
        while self._operators and _BINDING[self._operators[-1][0]] >= binding:
            operator, _ = self._operators.pop()
            right = self._terms.pop()
            if operator == "NOT":
                self._terms.append(Not(self._condition(right)))
            elif operator in ("AND", "OR"):
                self._terms.append(self._joined(operator, self._terms.pop(), self._condition(right)))
            else:
                self._terms.append(self._comparison(cast(Comparator, operator), self._terms.pop(), right))

    def _condition(self, term: Term) -> ConditionSyntax:
        if not _is_condition(term):
            raise self._parser.unexpected()
        return term

    def _comparison(self, comparator: Comparator, left: Term, right: Term) -> Comparison:
        if not _is_operand(left) or not _is_operand(right):
            raise self._parser.unexpected()
        return Comparison(comparator, left, right)

    def _joined(self, operator: str, left: Term, right: ConditionSyntax) -> And | Or:
        node = And if operator == "AND" else Or
        condition = self._condition(left)
        conditions = condition.conditions if isinstance(condition, node) else (condition,)
        return node((*conditions, right))
