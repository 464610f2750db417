"""The language of Metrics Insights. User guide, "Query components and syntax in CloudWatch Metrics Insights".

    SELECT FUNCTION(metric) FROM namespace | SCHEMA(namespace, label, …)
    [WHERE label = 'value' [AND label != 'value' …]] [GROUP BY label, …] [ORDER BY FUNCTION() [ASC | DESC]] [LIMIT n]

Keywords are of any case. Names may be quoted, and must be where they have other characters than letters, numbers and
underscores, or are words of the language itself. (The guide reserves more words, which its examples do not quote.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt

FUNCTIONS = ("AVG", "COUNT", "MAX", "MIN", "SUM")
ACCOUNT = "AWS.AccountId"
"""The label that stands for the account of a metric."""
MOST_SERIES = 500

_RESERVED = frozenset(("AND", "ASC", "BY", "DESC", "FROM", "GROUP", "LIMIT", "NOT", "OR", "ORDER", "SELECT", "WHERE"))
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<value>'(?:[^'\\]|\\.)*')
      | (?P<symbol>!=|[(),=])
      | (?P<tag>tag\.)
      | (?P<word>AWS\.AccountId|\w+)
      | (?P<end>;?\s*\Z)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A label has a value, or another one."""

    label: str
    value: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Select:
    """A query."""

    function: str
    metric: str
    namespace: str
    schema: frozenset[str] | None
    """The dimensions that metrics have, these and no others; None for any."""
    where: tuple[Comparison, ...] = ()
    groups: tuple[str, ...] = ()
    order: str | None = None
    """The function by whose result series are sorted."""
    descending: bool = False
    limit: int = MOST_SERIES


@lru_cache(maxsize=1000)
def parse(text: str) -> Select:
    """Return what a query asks for. Raises ExpressionProblem and NotBuilt."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position = 0
        while not self._tokens or self._tokens[-1][0] != "end":
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise ExpressionProblem(f"Unexpected character at position {position + 1} of the query")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def whole(self) -> Select:
        self._expect("SELECT")
        function = self._function()
        metric = self._name()
        self._expect(")")
        self._expect("FROM")
        namespace, schema = self._source()
        where = self._conditions() if self._accept("WHERE") else ()
        groups: tuple[str, ...] = ()
        if self._accept("GROUP"):
            self._expect("BY")
            groups = self._labels()
        order, descending = self._order() if self._accept("ORDER") else (None, False)
        limit = self._number() if self._accept("LIMIT") else MOST_SERIES
        if self._tokens[self._at][0] != "end":
            raise self._unexpected()
        return Select(function, metric, namespace, schema, where, groups, order, descending, limit)

    def _unexpected(self) -> ExpressionProblem:
        kind, text = self._tokens[self._at]
        if kind == "tag":
            raise NotBuilt("tags of resources in Metrics Insights queries (tag.…)")
        return ExpressionProblem(f"The query cannot have {'its end' if kind == 'end' else repr(text)} here")

    def _accept(self, text: str) -> bool:
        kind, found = self._tokens[self._at]
        if kind in ("word", "symbol") and found.upper() == text:
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected()

    def _take(self, wanted: str) -> str:
        kind, text = self._tokens[self._at]
        if kind != wanted:
            raise self._unexpected()
        self._at += 1
        return text

    def _function(self) -> str:
        """Read a function and the parenthesis that follows it."""
        name = self._take("word").upper()
        if name not in FUNCTIONS:
            raise ExpressionProblem(f"The function {name} is none of {', '.join(FUNCTIONS)}")
        self._expect("(")
        return name

    def _name(self) -> str:
        kind, text = self._tokens[self._at]
        if kind == "quoted":
            self._at += 1
            return _ESCAPED.sub(r"\1", text[1:-1])
        if kind != "word" or text.upper() in _RESERVED:
            raise self._unexpected()
        self._at += 1
        return text

    def _labels(self) -> tuple[str, ...]:
        labels = [self._name()]
        while self._accept(","):
            labels.append(self._name())
        return tuple(labels)

    def _source(self) -> tuple[str, frozenset[str] | None]:
        if not self._accept("SCHEMA"):
            return self._name(), None
        self._expect("(")
        namespace, *labels = self._labels()
        self._expect(")")
        return namespace, frozenset(labels)

    def _conditions(self) -> tuple[Comparison, ...]:
        conditions = [self._condition()]
        while self._accept("AND"):
            conditions.append(self._condition())
        return tuple(conditions)

    def _condition(self) -> Comparison:
        label = self._name()
        equal = self._accept("=")
        if not equal:
            self._expect("!=")
        return Comparison(label, _ESCAPED.sub(r"\1", self._take("value")[1:-1]), equal)

    def _order(self) -> tuple[str, bool]:
        self._expect("BY")
        function = self._function()
        self._expect(")")
        descending = self._accept("DESC")
        if not descending:
            self._accept("ASC")
        return function, descending

    def _number(self) -> int:
        text = self._take("word")
        if not text.isdecimal() or not 1 <= int(text) <= MOST_SERIES:
            raise ExpressionProblem(f"The LIMIT of a query is a number from 1 to {MOST_SERIES}")
        return int(text)
