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

from cloudlet.core.aws.language import Language, ParseError
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem, NotBuilt

FUNCTIONS = ("AVG", "COUNT", "MAX", "MIN", "SUM")
ACCOUNT = "AWS.AccountId"
"""The label that stands for the account of a metric."""
MOST_SERIES = 500

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
    try:
        return _LANGUAGE.read(text)
    except ParseError as problem:
        if not problem.is_word:
            raise ExpressionProblem(f"Unexpected character at position {problem.start + 1} of the query") from None
        raise ExpressionProblem(
            f"The query cannot have {repr(problem.word) if problem.word else 'its end'} here"
        ) from None


def _function(name: str) -> str:
    if name.upper() not in FUNCTIONS:
        raise ExpressionProblem(f"The function {name.upper()} is none of {', '.join(FUNCTIONS)}")
    return name.upper()


class _Meaning:
    def start(
        self,
        function: str,
        metric: str,
        source: tuple[str, frozenset[str] | None],
        where: tuple[Comparison, ...] | None,
        groups: tuple[str, ...] | None,
        order: tuple[str, bool] | None,
        limit: int | None,
    ) -> Select:
        by, descending = order or (None, False)
        return Select(
            _function(function), metric, *source, where or (), groups or (), by, descending, limit or MOST_SERIES
        )

    def source(self, namespace: str) -> tuple[str, frozenset[str] | None]:
        return namespace, None

    def schema(self, namespace: str, *labels: str) -> tuple[str, frozenset[str] | None]:
        return namespace, frozenset(labels)

    def where(self, *comparisons: Comparison) -> tuple[Comparison, ...]:
        return comparisons

    def comparison(self, label: str, operator: str, value: str) -> Comparison:
        return Comparison(label, value, operator == "=")

    def groups(self, *labels: str) -> tuple[str, ...]:
        return labels

    def order(self, function: str, direction: str | None) -> tuple[str, bool]:
        return _function(function), direction is not None and direction.upper() == "DESC"

    def limit(self, number: str) -> int:
        if not number.isdecimal() or not 1 <= int(number) <= MOST_SERIES:
            raise ExpressionProblem(f"The LIMIT of a query is a number from 1 to {MOST_SERIES}")
        return int(number)

    def WORD(self, text: str) -> str:
        return str(text)

    def QUOTED(self, text: str) -> str:
        return _ESCAPED.sub(r"\1", text[1:-1])

    VALUE = QUOTED

    def TAG(self, text: str) -> str:
        raise NotBuilt("tags of resources in Metrics Insights queries (tag.…)")


_LANGUAGE: Language[Select] = Language(__file__, _Meaning(), deepest=2)
