"""Reads an expression. From what binds least: OR, AND, comparisons, sums, products, the sign, powers."""

from __future__ import annotations

import re
from functools import lru_cache

from cloudlet.services.cloudwatch.expressions.lexer import Token, tokens
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem
from cloudlet.services.cloudwatch.expressions.syntax import Array, Call, Name, Negation, Node, Number, Operation, Text

_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_DEEPEST = 50
_ESCAPED = re.compile(r"\\(['\"])")


@lru_cache(maxsize=1000)
def parse(expression: str) -> Node:
    """Return what an expression is made of. Raises ExpressionProblem."""
    return _Parser(expression).whole()


class _Parser:
    def __init__(self, expression: str) -> None:
        self._tokens = tokens(expression)
        self._at = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def whole(self) -> Node:
        node = self._any()
        if self._token.kind != "end":
            raise self._unexpected()
        return node

    def _unexpected(self) -> ExpressionProblem:
        if self._token.kind == "end":
            return ExpressionProblem("Unexpected end of the expression")
        return ExpressionProblem(f"Unexpected '{self._token.text}' at position {self._token.at + 1}")

    def _accept(self, *texts: str) -> str | None:
        if self._token.kind in ("symbol", "name") and self._token.text in texts:
            self._at += 1
            return self._tokens[self._at - 1].text
        return None

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected()

    def _any(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionProblem("The expression is nested too deeply")
        node = self._both()
        while self._accept("OR", "||"):
            node = Operation("OR", node, self._both())
        self._depth -= 1
        return node

    def _both(self) -> Node:
        node = self._comparison()
        while self._accept("AND", "&&"):
            node = Operation("AND", node, self._comparison())
        return node

    def _comparison(self) -> Node:
        node = self._sum()
        while operator := self._accept(*_COMPARISONS):
            node = Operation(operator, node, self._sum())
        return node

    def _sum(self) -> Node:
        node = self._product()
        while operator := self._accept("+", "-"):
            node = Operation(operator, node, self._product())
        return node

    def _product(self) -> Node:
        node = self._signed()
        while operator := self._accept("*", "/"):
            node = Operation(operator, node, self._signed())
        return node

    def _signed(self) -> Node:
        signs = 0
        while self._accept("-"):
            signs += 1
        node = self._power()
        for _ in range(signs % 2):
            node = Negation(node)
        return node

    def _power(self) -> Node:
        base = self._operand()
        if not self._accept("^"):
            return base
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionProblem("The expression is nested too deeply")
        node = Operation("^", base, self._signed())
        self._depth -= 1
        return node

    def _operand(self) -> Node:
        token = self._token
        if token.kind == "number":
            self._at += 1
            return Number(float(token.text))
        if token.kind == "text":
            self._at += 1
            return Text(_ESCAPED.sub(r"\1", token.text[1:-1]))
        if token.kind == "name" and token.text not in ("AND", "OR"):
            self._at += 1
            return Call(token.text, self._list("(", ")")) if self._token.text == "(" else Name(token.text)
        if token.text == "[":
            items = self._list("[", "]")
            if not items:
                raise ExpressionProblem("An array must not be empty")
            return Array(items)
        self._expect("(")
        node = self._any()
        self._expect(")")
        return node

    def _list(self, begin: str, end: str) -> tuple[Node, ...]:
        self._expect(begin)
        if self._accept(end):
            return ()
        items = [self._any()]
        while self._accept(","):
            items.append(self._any())
        self._expect(end)
        return tuple(items)
