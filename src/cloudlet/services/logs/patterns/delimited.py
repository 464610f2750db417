"""Patterns of fields that spaces separate: `[ip, user, ..., status = 4*, bytes > 1000]`.

A message's field is what stands between spaces, in double quotes, or in square brackets.
User guide, "Using filter patterns to match terms in space-delimited log events".
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.services.logs.patterns import fields
from cloudlet.services.logs.patterns.comparing import Comparison
from cloudlet.services.logs.patterns.conditions import Condition
from cloudlet.services.logs.patterns.fields import ELLIPSIS
from cloudlet.services.logs.patterns.pattern import MayMatch, Pattern
from cloudlet.services.logs.patterns.problems import PatternProblem


def pattern_of(given: Sequence[str | Condition[str]]) -> Pattern:
    """Return the pattern of fields: each a name, a condition or an ellipsis. Raises PatternProblem."""
    conditions_of = [None if isinstance(one, str) else one for one in given]
    names = [str(one) if isinstance(one, str) else _name(one) for one in given]
    if len(set(names)) < len(names):
        raise PatternProblem("each field needs a name of its own, and ... can be there once")
    is_open = ELLIPSIS in names
    behind = names.index(ELLIPSIS) if is_open else len(names)
    # Fields behind the ellipsis are counted from the end.
    places = [number if number < behind else number - len(names) for number in range(len(names))]
    asked = [(at, one.holds) for at, one in zip(places, conditions_of, strict=True) if one is not None]
    sieve = fields.sieve_of(names, ["" if one is None else one.form for one in conditions_of])

    def values_of(message: str) -> list[str] | None:
        values = fields.values_of(message)
        fits = len(values) >= len(names) - 1 if is_open else len(values) == len(names)
        return values if fits else None

    def matches(message: str) -> bool:
        if sieve is not None and not sieve(message):
            return False
        values = values_of(message)
        return values is not None and all(holds(values[at]) for at, holds in asked)

    def extract(message: str) -> dict[str, str]:
        values = values_of(message)
        if values is None:
            return {}
        return {f"${name}": values[at] for at, name in zip(places, names, strict=True) if name != ELLIPSIS}

    quick = [one.may_match for one in conditions_of if one is not None and one.may_match is not None]

    def may_match(raw: bytes) -> bool:
        return all(one(raw) for one in quick)

    known = frozenset(f"${name}" for name in names if name != ELLIPSIS)
    return Pattern(matches, may_match, extract, sum(one.regexes for one in conditions_of if one is not None), known)


def _name(condition: Condition[str]) -> str:
    """Return the name of the field that a condition is about."""
    name, *others = condition.about
    if others:
        raise PatternProblem("the conditions of a field can be about that field only")
    return name


def compared(name: str, comparison: Comparison) -> Condition[str]:
    """Return the condition that a comparison holds of a field."""
    return Condition(
        comparison.test(),
        _needing(comparison.pieces()),
        form=fields.form_of(comparison),
        about={name: ()},
        regexes=comparison.regexes,
    )


def _needing(pieces: list[str]) -> MayMatch | None:
    needed = [piece.encode() for piece in pieces]
    return (lambda raw: all(piece in raw for piece in needed)) if needed else None
