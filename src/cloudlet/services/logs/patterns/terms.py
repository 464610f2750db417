"""Patterns of terms: `ERROR "not found" -DEBUG`, `?ERROR ?WARN`, `%4[0-9]{2}%`.

User guide, "Using filter patterns to match terms in unstructured log events".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloudlet.services.logs.patterns.pattern import Pattern
from cloudlet.services.logs.patterns.regex import Regex

Term = str | Regex


def pattern_of(terms: Sequence[tuple[str | None, Term]]) -> Pattern:
    """Return a pattern of terms, each behind a question mark, a hyphen or nothing."""
    required, optional, excluded = ([term for one, term in terms if one == mode] for mode in (None, "?", "-"))
    if required or excluded:
        # A question mark means nothing beside other terms, as the user guide says.
        optional = []
    regexes = sum(isinstance(term, Regex) for _, term in terms)
    return Pattern(_matcher(required, optional, excluded), _may_match(required, optional), lambda message: {}, regexes)


def _test(term: Term) -> Callable[[str], bool]:
    if isinstance(term, str):
        return lambda message: term in message
    return term.is_in


def _matcher(required: list[Term], optional: list[Term], excluded: list[Term]) -> Callable[[str], bool]:
    if not optional and not excluded and len(required) == 1:
        return _test(required[0])
    all_of, any_of, none_of = ([_test(term) for term in terms] for terms in (required, optional, excluded))

    def matches(message: str) -> bool:
        return (
            all(test(message) for test in all_of)
            and (not any_of or any(test(message) for test in any_of))
            and not any(test(message) for test in none_of)
        )

    return matches


def _may_match(required: list[Term], optional: list[Term]) -> Callable[[bytes], bool]:
    all_of = [term.encode() for term in required if isinstance(term, str)]
    any_of = [term.encode() for term in optional if isinstance(term, str)]
    if len(any_of) < len(optional):
        any_of = []

    def may_match(raw: bytes) -> bool:
        return all(term in raw for term in all_of) and (not any_of or any(term in raw for term in any_of))

    return may_match
