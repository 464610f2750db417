"""Patterns of JSON: `{ $.user.name = "A*" && ($.status >= 400 || $.error IS TRUE) }`.

User guide, "Using filter patterns to match terms in JSON log events".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from cloudlet.services.logs.patterns import comparing
from cloudlet.services.logs.patterns.comparing import Comparison
from cloudlet.services.logs.patterns.conditions import Condition, Path
from cloudlet.services.logs.patterns.pattern import MayMatch, Pattern, anything
from cloudlet.wire import json_text

_STEP = re.compile(r"""\.([\w\-]+|\*)|\[\s*(?:(\d+|\*)|'([^']*)'|"([^"]*)")\s*\]""")
_STATES: dict[str, Callable[[list[Any]], bool]] = {
    "IS NULL": lambda values: any(value is None for value in values),
    "IS TRUE": lambda values: any(value is True for value in values),
    "IS FALSE": lambda values: any(value is False for value in values),
    "NOT EXISTS": lambda values: not values,
}
_SAFE_KEY = re.compile(r"[\w\-]+", re.ASCII)
_ESCAPE = b"\\u"


@dataclass(frozen=True, slots=True)
class Selector:
    """Values of a document: `$.a.b[0]`, and where that leads."""

    text: str
    path: Path

    @classmethod
    def of(cls, text: str) -> Selector:
        """Return what is written as a text, which starts with a dollar sign and goes on with steps."""
        path: list[str | int] = []
        for name, index, key, other in _STEP.findall(text):
            path.append(int(index) if index.isdecimal() else name or index or key or other)
        return cls(str(text), tuple(path))


def pattern_of(condition: Condition[Any]) -> Pattern:
    """Return the pattern of JSON that a condition makes."""
    holds, may_match = condition.holds, condition.may_match
    asked = may_match if condition.is_sharp else None

    def matches(message: str) -> bool:
        if asked is not None and not asked(message.encode()):
            return False
        document = document_of(message)
        return document is not None and holds(document)

    def extract(message: str) -> dict[str, str]:
        document = document_of(message)
        found = {name: values_at(document, path) for name, path in condition.about.items()}
        return {name: text for name, values in found.items() if values and (text := written(values[0])) is not None}

    return Pattern(matches, may_match or anything, extract, condition.regexes, is_json=True)


def document_of(message: str) -> Any:
    """Return the object or array that a message is; None for any other message."""
    if not message.lstrip().startswith(("{", "[")):
        return None
    try:
        return json_text.decode(message)
    except (ValueError, RecursionError):
        return None


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
    return comparing.to_api(value)


def in_state(selector: Selector, state: str) -> Condition[Any]:
    """Return the condition that what is selected is null, true or false, or is not there."""
    holds, path = _STATES[state], selector.path
    possible = None if state == "NOT EXISTS" else _needing(_keys(path))
    return Condition(lambda document: holds(values_at(document, path)), possible, about={selector.text: path})


def compared(selector: Selector, comparison: Comparison) -> Condition[Any]:
    """Return the condition that a comparison holds of something that is selected."""
    path, test, number = selector.path, comparison.test(), comparison.number_form()
    possible, is_sharp = _needing(_keys(path) + comparison.needed()), False
    if number is not None and isinstance(path[-1], str) and _SAFE_KEY.fullmatch(path[-1]):
        possible, is_sharp = _having(path[-1], number), True
    holds: Callable[[Any], bool]
    if len(path) == 1 and isinstance(path[0], str) and path[0] != "*":
        holds = _at_top(path[0], test)
    else:

        def holds(document: Any) -> bool:
            return any(test(value) for value in values_at(document, path))

    about = {selector.text: path}
    return Condition(holds, possible, is_sharp, about=about, regexes=comparison.regexes)


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
