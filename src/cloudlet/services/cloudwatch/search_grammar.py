"""The language of SEARCH. User guide, "CloudWatch search expression syntax".

`{Namespace, Dimension, …}` (a metric schema), and terms: words, which match parts of names, "exact ones", either of
them after a property and `=`; AND, which may be left out, OR, NOT, and parentheses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem

LONGEST = 1024

_TOKEN = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<symbol>[(){},=])|(?P<word>[^\s(){},="]+)|(?P<end>\Z))')
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Term:
    """What a name or a value is to have in it; or to be, if it is exact. Without a property, any of a metric's."""

    text: str
    exact: bool
    property: str | None = None


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the parts holds, or more."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition = Term | All | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Search:
    """A search: its schema, if it has one, and its condition, if it has one."""

    namespace: str | None
    dimensions: frozenset[str]
    condition: Condition | None


@lru_cache(maxsize=1000)
def parse(text: str) -> Search:
    """Return what a search looks for. Raises ExpressionProblem."""
    if len(text) > LONGEST:
        raise ExpressionProblem(f"A search expression has {LONGEST} characters at most")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        position = 0
        while not self._tokens or self._tokens[-1][0] != "end":
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise ExpressionProblem("The search expression has a quotation mark that is not closed")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def whole(self) -> Search:
        namespace, dimensions = self._schema() if self._accept("{") else (None, frozenset())
        condition = None if self._tokens[self._at][0] == "end" else self._any()
        if self._tokens[self._at][0] != "end":
            raise self._unexpected()
        if namespace is None and condition is None:
            raise ExpressionProblem("The search expression is empty")
        return Search(namespace, dimensions, condition)

    def _unexpected(self) -> ExpressionProblem:
        kind, text = self._tokens[self._at]
        what = "its end" if kind == "end" else f"'{text}'"
        return ExpressionProblem(f"The search expression cannot have {what} here")

    def _accept(self, symbol: str, kind: str = "symbol") -> bool:
        if self._tokens[self._at] == (kind, symbol):
            self._at += 1
            return True
        return False

    def _text(self) -> tuple[str, bool]:
        """Read a word or a quoted text; return whether it was quoted too."""
        kind, text = self._tokens[self._at]
        if kind not in ("word", "quoted"):
            raise self._unexpected()
        self._at += 1
        return (re.sub(r"\\(.)", r"\1", text[1:-1]), True) if kind == "quoted" else (text, False)

    def _schema(self) -> tuple[str, frozenset[str]]:
        names = [self._text()[0]]
        while self._accept(","):
            names.append(self._text()[0])
        if not self._accept("}"):
            raise self._unexpected()
        self._accept(",")
        return names[0], frozenset(names[1:])

    def _any(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionProblem("The search expression is nested too deeply")
        parts = [self._all()]
        while self._accept("OR", "word"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._not()]
        while True:
            kind, text = self._tokens[self._at]
            if not self._accept("AND", "word") and (
                kind == "end" or (kind == "symbol" and text != "(") or (kind == "word" and text == "OR")
            ):
                return parts[0] if len(parts) == 1 else All(tuple(parts))
            parts.append(self._not())

    def _not(self) -> Condition:
        negations = 0
        while self._accept("NOT", "word"):
            negations += 1
        part = self._one()
        return Not(part) if negations % 2 else part

    def _one(self) -> Condition:
        if self._accept("("):
            inner = self._any()
            if not self._accept(")"):
                raise self._unexpected()
            return inner
        if self._tokens[self._at] in (("word", "AND"), ("word", "OR")):
            raise self._unexpected()
        text, exact = self._text()
        if self._accept("="):
            value, exact = self._text()
            return Term(value, exact, text)
        return Term(text, exact)
