"""Patterns of fields that spaces separate: `[ip, user, ..., status = 4*, bytes > 1000]`.

A message's field is what stands between spaces, in double quotes, or in square brackets.
User guide, "Using filter patterns to match terms in space-delimited log events".
"""

from __future__ import annotations

import re

from cloudlet.services.logs.patterns import comparing, conditions, fields
from cloudlet.services.logs.patterns.conditions import Condition
from cloudlet.services.logs.patterns.fields import ELLIPSIS
from cloudlet.services.logs.patterns.pattern import MayMatch, Pattern
from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.reading import Reader

_NAME = re.compile(r"(\w+)")


def parse(text: str) -> Pattern:
    """Return a space-delimited pattern. Raises PatternProblem."""
    reader = Reader(text)
    reader.expect("[")
    names: list[str] = []
    conditions_of: list[Condition[str] | None] = []
    while True:
        name, condition = (ELLIPSIS, None) if reader.take(ELLIPSIS) else _field(reader)
        names.append(name)
        conditions_of.append(condition)
        if not reader.take(","):
            break
    reader.expect("]")
    if not reader.ended():
        raise PatternProblem(f"nothing may follow a pattern of fields: {reader.rest!r}")
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
    return Pattern(matches, may_match, extract, reader.regexes, known)


def _field(reader: Reader) -> tuple[str, Condition[str] | None]:
    """Read a field: its name, and what is asked of it."""
    reader.skip()
    begin = reader.at
    name = reader.match(_NAME)
    reader.skip()
    if name is not None and reader.text[reader.at : reader.at + 1] in (",", "]"):
        return name, None
    reader.at = begin
    used: set[str] = set()

    def one(reader: Reader) -> Condition[str]:
        reader.skip()
        name = reader.match(_NAME)
        comparison = None if name is None else comparing.read(reader)
        if name is None or comparison is None:
            raise PatternProblem(f"a field is expected at: {reader.rest!r}")
        used.add(name)
        return Condition(comparison.test(), _needing(comparison.pieces()), form=fields.form_of(comparison))

    condition = conditions.read(reader, one)
    if len(used) != 1:
        raise PatternProblem("the conditions of a field can be about that field only")
    return used.pop(), condition


def _needing(pieces: list[str]) -> MayMatch | None:
    needed = [piece.encode() for piece in pieces]
    return (lambda raw: all(piece in raw for piece in needed)) if needed else None
