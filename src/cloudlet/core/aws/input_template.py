"""Templates of what a target gets, with places that are filled from an event, and the JSON paths that find it.

EventBridge's user guide, "Amazon EventBridge input transformation" and "Amazon EventBridge Pipes input transformation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

_STEP = re.compile(r"\.([\w/-]+|\*)|\[(\d+|\*)\]")
_PIECE = re.compile(r'\\.|"|<([^<>\s]+)>', re.DOTALL)


class _Missing:
    """What stands where an event has nothing."""


MISSING: Final = _Missing()


def is_path(text: str) -> bool:
    """Whether a text is a JSON path of the kind that EventBridge has."""
    return text.startswith("$") and not _STEP.sub("", text[1:])


def resolve_path(document: Any, path: str) -> Any:
    """Return what is at a JSON path of a document: with a wildcard a list, else one value, or MISSING."""
    found = [document]
    several = False
    for name, index in _STEP.findall(path):
        step = name or index
        several = several or step == "*"
        found = [inner for each in found for inner in _step(each, step, indexed=bool(index))]
    if several:
        return found
    return found[0] if found else MISSING


def _step(part: Any, step: str, *, indexed: bool) -> list[Any]:
    if step == "*":
        return list(part) if isinstance(part, list) else list(part.values()) if isinstance(part, dict) else []
    if indexed:
        return [part[int(step)]] if isinstance(part, list) and int(step) < len(part) else []
    return [part[step]] if isinstance(part, dict) and step in part else []


class TemplateTooLong(ValueError):
    """A template would become longer than it may: it can have a value of a megabyte in thousands of places."""

    def __init__(self, most: int) -> None:
        super().__init__(f"what the template makes of the event is longer than {most} characters")


def escape(value: Any) -> str:
    """Return what a value becomes within quotation marks, so that JSON stays JSON."""
    return as_json(value if isinstance(value, str) else as_json(value))[1:-1]


def render(
    template: str,
    is_place: Callable[[str], bool],
    value_of: Callable[[str], Any],
    most: int,
    quoted_as: Callable[[Any], str] = escape,
) -> str:
    """Return a template with its places, `<name>`, filled: with JSON, or within a string's quotation marks with text.

    `quoted_as` makes the latter of a value. What has no value (MISSING) becomes an empty string. What looks like a
    place and is none stays as it is. Raises TooLong where values have more than `most` characters together.
    """
    quoted = False
    left = most

    def fill(found: re.Match[str]) -> str:
        nonlocal left
        part = part_of(found)
        left -= len(part)
        if left < 0:
            raise TemplateTooLong(most)
        return part

    def part_of(found: re.Match[str]) -> str:
        nonlocal quoted
        if found[1] is None or not is_place(found[1]):
            quoted ^= found[0] == '"'
            return found[0]
        value = value_of(found[1])
        if value is MISSING:
            return "" if quoted else '""'
        return quoted_as(value) if quoted else as_json(value)

    return _PIECE.sub(fill, template)


def as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
