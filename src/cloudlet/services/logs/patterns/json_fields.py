"""Patterns of JSON: `{ $.user.name = "A*" && ($.status >= 400 || $.error IS TRUE) }`.

User guide, "Using filter patterns to match terms in JSON log events".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from cloudlet.services.logs.patterns import comparing, conditions
from cloudlet.services.logs.patterns.conditions import Condition
from cloudlet.services.logs.patterns.pattern import MayMatch, Pattern, anything
from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.reading import Reader

_NAME = re.compile(r"\.([\w\-]+|\*)")
_INDEX = re.compile(r"\[\s*(\d{1,9}|\*)\s*\]")
_KEY = re.compile(r"\[\s*(?:'([^']*)'|\"([^\"]*)\")\s*\]")
_KEYWORDS: tuple[tuple[re.Pattern[str], Callable[[list[Any]], bool]], ...] = (
    (re.compile(r"(IS\s+NULL)\b", re.IGNORECASE), lambda values: any(value is None for value in values)),
    (re.compile(r"(IS\s+TRUE)\b", re.IGNORECASE), lambda values: any(value is True for value in values)),
    (re.compile(r"(IS\s+FALSE)\b", re.IGNORECASE), lambda values: any(value is False for value in values)),
    (re.compile(r"(NOT\s+EXISTS)\b", re.IGNORECASE), lambda values: not values),
)
_SAFE_KEY = re.compile(r"[\w\-]+", re.ASCII)
_ESCAPE = b"\\u"

Path = tuple[str | int, ...]
"""Names and indices; "*" for all."""
_decode = msgspec.json.Decoder().decode


def parse(text: str) -> Pattern:
    """Return a pattern of JSON. Raises PatternProblem."""
    reader = Reader(text)
    paths: dict[str, Path] = {}
    reader.expect("{")
    condition = conditions.read(reader, lambda reader: _condition(reader, paths))
    reader.expect("}")
    if not reader.ended():
        raise PatternProblem(f"nothing may follow a pattern of JSON: {reader.rest!r}")
    holds, may_match = condition.holds, condition.may_match
    asked = may_match if condition.is_sharp else None

    def matches(message: str) -> bool:
        if asked is not None and not asked(message.encode()):
            return False
        document = document_of(message)
        return document is not None and holds(document)

    def extract(message: str) -> dict[str, str]:
        document = document_of(message)
        found = {name: values_at(document, path) for name, path in paths.items()}
        return {name: text for name, values in found.items() if values and (text := written(values[0])) is not None}

    return Pattern(matches, may_match or anything, extract, reader.regexes, is_json=True)


def document_of(message: str) -> Any:
    """Return the object or array that a message is; None for any other message."""
    if not message.lstrip().startswith(("{", "[")):
        return None
    try:
        return _decode(message)
    except (ValueError, RecursionError):
        return None


def selector(reader: Reader) -> tuple[str, Path]:
    """Read a selector (`$.a.b[0]`), and return it as it is written and as a path. Raises PatternProblem."""
    reader.skip()
    begin = reader.at
    if not reader.take("$"):
        raise PatternProblem(f"a selector ($.name) is expected at: {reader.rest!r}")
    path: list[str | int] = []
    while True:
        name = reader.match(_NAME)
        if name is not None:
            path.append(name)
            continue
        index = reader.match(_INDEX)
        if index is not None:
            path.append("*" if index == "*" else int(index))
            continue
        match = _KEY.match(reader.text, reader.at)
        if match is None:
            break
        reader.at = match.end()
        path.append(match[1] if match[1] is not None else match[2])
    if not path:
        raise PatternProblem(f"a selector ($.name) is expected at: {reader.text[begin : begin + 20]!r}")
    return reader.text[begin : reader.at], tuple(path)


def values_at(value: Any, path: Path) -> list[Any]:
    """Return the values at a path, none where there is nothing."""
    found = [value]
    for part in path:
        following: list[Any] = []
        for one in found:
            if isinstance(one, dict):
                if part == "*":
                    following += one.values()
                elif part in one:
                    following.append(one[part])
            elif isinstance(one, list):
                if part == "*":
                    following += one
                elif isinstance(part, int) and part < len(one):
                    following.append(one[part])
        found = following
    return found


def written(value: Any) -> str | None:
    """Return a value as text, as TestMetricFilter shows it; None for null."""
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return comparing.shown(value)


def _condition(reader: Reader, paths: dict[str, Path]) -> Condition[Any]:
    name, path = selector(reader)
    paths[name] = path
    reader.skip()
    for keyword, holds in _KEYWORDS:
        if reader.match(keyword) is not None:
            return Condition(
                lambda document, holds=holds: holds(values_at(document, path)),  # type: ignore[misc]
                None if holds is _KEYWORDS[-1][1] else _needing(_keys(path)),
            )
    comparison = comparing.read(reader)
    if comparison is None:
        raise PatternProblem(f"an operator is expected at: {reader.rest!r}")
    test = comparison.test()
    number = comparison.number_form()
    possible, is_sharp = _needing(_keys(path) + comparison.needed()), False
    if number is not None and isinstance(path[-1], str) and _SAFE_KEY.fullmatch(path[-1]):
        possible, is_sharp = _having(path[-1], number), True
    if len(path) == 1 and isinstance(path[0], str) and path[0] != "*":
        return Condition(_at_top(path[0], test), possible, is_sharp)
    return Condition(lambda document: any(test(value) for value in values_at(document, path)), possible, is_sharp)


def _at_top(name: str, test: comparing.Test) -> Callable[[Any], bool]:
    return lambda document: isinstance(document, dict) and name in document and test(document[name])


def _keys(path: Path) -> list[bytes]:
    return [f'"{part}"'.encode() for part in path if isinstance(part, str) and _SAFE_KEY.fullmatch(part)]


def _having(key: str, number: str) -> MayMatch:
    """Return what tells whether there may be a key with such a number, or a text with it."""
    search = re.compile(rf'"{key}"\s*:\s*"?{number}'.encode()).search

    def may_match(raw: bytes) -> bool:
        return search(raw) is not None or _ESCAPE in raw

    return may_match


def _needing(pieces: list[bytes]) -> MayMatch | None:
    if not pieces:
        return None

    def may_match(raw: bytes) -> bool:
        return all(piece in raw for piece in pieces) or _ESCAPE in raw

    return may_match
