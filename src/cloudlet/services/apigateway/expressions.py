"""Values with variables: `$request.header.id`, or text with `${request.header.id}` in it.

Developer guide, "Transform API requests and responses for HTTP APIs" and "Working with selection expressions".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from cloudlet.wire import json_text

_WHOLE = re.compile(r"\$(?P<variable>(?:request|response|context|stageVariables|integration|route)(?:\.[^\s$]+))")
_IN_TEXT = re.compile(r"\$\{(?P<variable>[^{}]+)\}")
_OF_REQUESTS = re.compile(
    r"request\.(?:header|querystring)\.\S+|request\.path(?:\.\S+)?|request\.body(?:[.\[]\S+)?|(?:context|stageVariables)\.\S+"
)
_OF_ANSWERS = re.compile(r"response\.header\.\S+|response\.body(?:[.\[]\S+)?")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d{1,9})\]")
LARGEST_BODY = 100 << 10
"""So much of a body a JSON path is applied to."""

Lookup = Callable[[str], "str | None"]
"""Returns the value of a variable, such as `request.header.id`; None where it has none."""


class Expression(NamedTuple):
    """A compiled value: text and variables in turn."""

    parts: tuple[str, ...]
    """Text at even places, names of variables at odd ones."""

    @property
    def variables(self) -> tuple[str, ...]:
        return self.parts[1::2]

    def value(self, lookup: Lookup) -> str | None:
        """Return what it says; None where it is a single variable that has no value."""
        parts = self.parts
        if len(parts) == 1:
            return parts[0]
        if len(parts) == 3 and not parts[0] and not parts[2]:
            return lookup(parts[1])
        return "".join(part if number % 2 == 0 else lookup(part) or "" for number, part in enumerate(parts))


def compiled(text: str) -> Expression:
    """Return the expression that a value is; text without variables is itself."""
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        return Expression(("", whole["variable"], ""))
    return Expression(tuple(_IN_TEXT.split(text)))


def has_known(text: str, *, of_answers: bool = False) -> bool:
    """Whether a value of a mapping of HTTP APIs has variables only that there are for requests, or also for answers."""
    return all(
        _OF_REQUESTS.fullmatch(variable) or (of_answers and _OF_ANSWERS.fullmatch(variable))
        for variable in compiled(text).variables
    )


def in_json(body: bytes, path: str) -> str | None:
    """Return what a JSON path, `$`-less and of names and indices, finds in a body; objects and arrays as JSON."""
    found = found_in(body, path)
    if found is None:
        return None
    if isinstance(found, str):
        return found
    return msgspec.json.encode(found).decode()


def found_in(body: bytes, path: str) -> Any:
    """Return the value that a JSON path finds in a body, None where there is none."""
    try:
        value = json_text.decode(body)
    except (ValueError, RecursionError):
        return None
    for name, index in _STEP.findall(path):
        if name and isinstance(value, dict):
            value = value.get(name)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value


def with_stage_variables(text: str, variables: dict[str, str]) -> str:
    """Return a URI with the stage variables in it replaced by their values."""
    if "${" not in text:
        return text
    return _IN_TEXT.sub(
        lambda match: (
            variables.get(match["variable"].removeprefix("stageVariables."), "")
            if match["variable"].startswith("stageVariables.")
            else match[0]
        ),
        text,
    )
