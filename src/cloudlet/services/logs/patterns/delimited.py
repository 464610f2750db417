"""Patterns of fields that spaces separate: `[ip, user, ..., status = 4*, bytes > 1000]`.

A message's field is what stands between spaces, in double quotes, or in square brackets.
User guide, "Using filter patterns to match terms in space-delimited log events".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudlet.services.logs.patterns import comparing, conditions
from cloudlet.services.logs.patterns.conditions import Condition
from cloudlet.services.logs.patterns.pattern import MayMatch, Pattern
from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.reading import Reader

_NAME = re.compile(r"(\w+)")
_FIELD = re.compile(r"""\s*(?:"([^"]*)"|\[([^\]]*)\]|(\S+))""")
_ELLIPSIS = "..."

Fields = Mapping[str, str]


def parse(text: str) -> Pattern:
    """Return a space-delimited pattern. Raises PatternProblem."""
    reader = Reader(text)
    reader.expect("[")
    names: list[str] = []
    asked: list[Condition[Fields]] = []
    while True:
        if reader.take(_ELLIPSIS):
            names.append(_ELLIPSIS)
        else:
            name, condition = _field(reader)
            names.append(name)
            if condition is not None:
                asked.append(condition)
        if not reader.take(","):
            break
    reader.expect("]")
    if not reader.ended():
        raise PatternProblem(f"nothing may follow a pattern of fields: {reader.rest!r}")
    if len(set(names)) < len(names):
        raise PatternProblem("each field needs a name of its own, and ... can be there once")

    def matches(message: str) -> bool:
        fields = _named(names, message)
        return fields is not None and all(one.holds(fields) for one in asked)

    def extract(message: str) -> dict[str, str]:
        return {f"${name}": value for name, value in (_named(names, message) or {}).items()}

    quick = [one.may_match for one in asked if one.may_match is not None]

    def may_match(raw: bytes) -> bool:
        return all(one(raw) for one in quick)

    known = frozenset(f"${name}" for name in names if name != _ELLIPSIS)
    return Pattern(matches, may_match, extract, reader.regexes, known)


def _field(reader: Reader) -> tuple[str, Condition[Fields] | None]:
    """Read a field: its name, and what is asked of it."""
    reader.skip()
    begin = reader.at
    name = reader.match(_NAME)
    reader.skip()
    if name is not None and reader.text[reader.at : reader.at + 1] in (",", "]"):
        return name, None
    reader.at = begin
    used: set[str] = set()

    def one(reader: Reader) -> Condition[Fields]:
        reader.skip()
        name = reader.match(_NAME)
        comparison = None if name is None else comparing.read(reader)
        if name is None or comparison is None:
            raise PatternProblem(f"a field is expected at: {reader.rest!r}")
        used.add(name)
        test = comparison.test()
        return Condition(lambda fields: test(fields[name]), _needing(comparison.pieces()))

    condition = conditions.read(reader, one)
    if len(used) != 1:
        raise PatternProblem("the conditions of a field can be about that field only")
    return used.pop(), condition


def _needing(pieces: list[str]) -> MayMatch | None:
    needed = [piece.encode() for piece in pieces]
    return (lambda raw: all(piece in raw for piece in needed)) if needed else None


def _values(message: str) -> list[str]:
    if '"' not in message and "[" not in message:
        return message.split()
    return [quoted or bracketed or plain for quoted, bracketed, plain in _FIELD.findall(message)]


def _named(names: list[str], message: str) -> dict[str, str] | None:
    """Return the fields of a message by their names; None where it has not as many as the pattern."""
    values = _values(message)
    if _ELLIPSIS not in names:
        return dict(zip(names, values, strict=True)) if len(names) == len(values) else None
    if len(values) < len(names) - 1:
        return None
    before = names.index(_ELLIPSIS)
    after = len(names) - before - 1
    named = dict(zip(names[:before], values, strict=False))
    named.update(zip(names[before + 1 :], values[len(values) - after :], strict=True))
    return named
