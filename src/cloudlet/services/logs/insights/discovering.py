"""The fields of a log event. User guide, "Supported logs and discovered fields"."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

MOST_FIELDS = 200
"""Of one event."""


_OF_LAMBDA = "/aws/lambda/"


def fields_of(message: str, group: str) -> dict[str, str]:
    """Return the fields that are found in a message of a log group: those of a JSON object, dots between their names.

    Lambda writes metadata before what functions write.
    """
    if group.startswith(_OF_LAMBDA):
        message = message[max(message.find("{"), 0) :]
    if not message.lstrip().startswith("{"):
        return {}
    try:
        return dict(islice(_leaves("", msgspec.json.decode(message)), MOST_FIELDS))
    except (ValueError, RecursionError):
        return {}


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield what is in a value, with where it is; nothing for null."""
    match value:
        case dict():
            for name, one in value.items():
                yield from _leaves(f"{prefix}.{name}" if prefix else _own(name), one)
        case list():
            for index, one in enumerate(value):
                yield from _leaves(f"{prefix}.{index}", one)
        case bool():
            yield prefix, str(int(value))
        case str():
            yield prefix, value
        case int() | float():
            yield prefix, msgspec.json.encode(value).decode()


def _own(name: str) -> str:
    """Return the name of a field: one that begins with an at sign gets another, since those are AWS's own."""
    return f"@{name}" if name.startswith("@") else name
