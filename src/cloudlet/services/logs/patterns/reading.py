"""Reads filter patterns and selectors; the grammar is in `reading.lark`."""

from __future__ import annotations

import re

from cloudlet.core.aws.language import Language, NestingTooDeep, ParseError
from cloudlet.services.logs.patterns import conditions, delimited, json_fields, numbers, terms
from cloudlet.services.logs.patterns.comparing import Comparison, Operand
from cloudlet.services.logs.patterns.conditions import Condition
from cloudlet.services.logs.patterns.json_fields import Selector
from cloudlet.services.logs.patterns.pattern import Pattern
from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.regex import Regex
from cloudlet.services.logs.patterns.terms import Term

MOST_REGEXES = 2
_DEEPEST = 50
_ESCAPED = re.compile(r'\\(["\\])')
_UNCLOSED = {'"': "a quotation mark is not closed", "%": "a percent sign is not closed"}


def read(text: str) -> Pattern | Selector:
    """Return the pattern, or the selector, that a text means. Raises PatternProblem."""
    try:
        found = _LANGUAGE.read(text)
    except NestingTooDeep:
        raise PatternProblem(f"parentheses can be {_DEEPEST} deep at most") from None
    except ParseError as problem:
        if not problem.is_word and problem.word in _UNCLOSED:
            raise PatternProblem(_UNCLOSED[problem.word]) from None
        rest = text[problem.start : problem.start + 20]
        raise PatternProblem(f"not expected: {rest!r}" if rest else "the pattern has no end") from None
    if isinstance(found, Pattern) and found.regexes > MOST_REGEXES:
        raise PatternProblem(f"a pattern can have {MOST_REGEXES} regular expressions at most")
    return found


class _Meaning:
    def terms(self, *found: tuple[str | None, Term]) -> Pattern:
        return terms.pattern_of(found)

    def term(self, mode: str | None, term: Term) -> tuple[str | None, Term]:
        return mode, term

    def json(self, condition: Condition[object]) -> Pattern:
        return json_fields.pattern_of(condition)

    def state(self, selector: Selector, words: str) -> Condition[object]:
        return json_fields.in_state(selector, " ".join(words.upper().split()))

    def compared(self, selector: Selector, operator: str, operand: Operand) -> Condition[object]:
        return json_fields.compared(selector, Comparison(str(operator), operand))

    def delimited(self, *fields: str | Condition[str]) -> Pattern:
        return delimited.pattern_of(fields)

    def compared_field(self, name: str, operator: str, operand: Operand) -> Condition[str]:
        return delimited.compared(str(name), Comparison(str(operator), operand))

    any = staticmethod(conditions.any_of)
    all = staticmethod(conditions.all_of)

    def OTHER(self, text: str) -> Term:
        raise PatternProblem(f"a term with other characters than letters, digits and _ has to be quoted: {text}")

    def WORD(self, text: str) -> Term:
        return str(text)

    def QUOTED(self, text: str) -> Term:
        return _ESCAPED.sub(r"\1", text[1:-1])

    def REGEX(self, text: str) -> Term:
        return Regex(text[1:-1])

    def UNQUOTED(self, text: str) -> Operand:
        number = numbers.read(text)
        return str(text) if number is None else number

    def SELECTOR(self, text: str) -> Selector:
        return Selector.of(text)


_LANGUAGE: Language[Pattern | Selector] = Language(__file__, _Meaning(), _DEEPEST + 1)
