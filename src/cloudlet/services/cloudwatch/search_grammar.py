"""The language of SEARCH. User guide, "CloudWatch search expression syntax".

`{Namespace, Dimension, …}` (a metric schema), and terms: words, which match parts of names, "exact ones", either of
them after a property and `=`; AND, which may be left out, OR, NOT, and parentheses, also behind `=`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from cloudlet.core.aws import logic
from cloudlet.core.aws.language import Language, NestingTooDeep, ParseError
from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem

LONGEST = 1024

_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Term:
    """What a name or a value is to have in it; or to be, if it is exact. Without a property, any of a metric's."""

    text: str
    exact: bool
    property: str | None = None


Condition: TypeAlias = "Term | All[Condition] | AnyOf[Condition] | Not[Condition]"


@dataclass(frozen=True, slots=True)
class Search:
    """A search: its schema, if it has one, and its condition, if it has one."""

    namespace: str | None
    dimensions: frozenset[str]
    condition: Condition | None


def terms(condition: Condition | None) -> int:
    """Return how many terms a condition has."""
    if condition is None:
        return 0
    if isinstance(condition, Term):
        return 1
    return terms(condition.part) if isinstance(condition, Not) else sum(map(terms, condition.parts))


@lru_cache(maxsize=1000)
def parse(text: str) -> Search:
    """Return what a search looks for. Raises ExpressionProblem."""
    if len(text) > LONGEST:
        raise ExpressionProblem(f"A search expression has {LONGEST} characters at most")
    try:
        return _LANGUAGE.read(text)
    except NestingTooDeep:
        raise ExpressionProblem("The search expression is nested too deeply") from None
    except ParseError as problem:
        if not problem.is_word:
            raise ExpressionProblem("The search expression has a quotation mark that is not closed") from None
        what = f"'{problem.word}'" if problem.word else "its end"
        raise ExpressionProblem(f"The search expression cannot have {what} here") from None


def _about(property: str, condition: Condition) -> Condition:
    """Return a condition whose terms, which have no properties, are all looked for in one. Raises ExpressionProblem."""
    if isinstance(condition, Not):
        return Not(_about(property, condition.part))
    if isinstance(condition, Term):
        if condition.property is not None:
            raise ExpressionProblem(f"The search expression cannot have '{condition.property}=' within '{property}='")
        return replace(condition, property=property)
    return replace(condition, parts=tuple(_about(property, part) for part in condition.parts))


class _Meaning(logic.Meaning):
    def start(self, schema: tuple[str, ...] | None, condition: Condition | None) -> Search:
        if schema is None and condition is None:
            raise ExpressionProblem("The search expression is empty")
        namespace, *dimensions = schema or (None,)
        return Search(namespace, frozenset(dimensions), condition)

    def schema(self, *terms: Term) -> tuple[str, ...]:
        return tuple(term.text for term in terms)

    def term(self, property: Term, value: Term) -> Condition:
        return Term(value.text, value.exact, property.text)

    def terms(self, property: Term, condition: Condition) -> Condition:
        return _about(property.text, condition)

    def QUOTED(self, text: str) -> Term:
        return Term(re.sub(r"\\(.)", r"\1", text[1:-1]), True)

    def WORD(self, text: str) -> Term:
        return Term(str(text), False)


_LANGUAGE: Language[Search] = Language(__file__, _Meaning(), _DEEPEST)
