"""JSON that requests have as text: strict, and not too deep."""

from __future__ import annotations

from typing import Any, Final

import msgspec

MAX_DEPTH_LEVELS: Final = 100


def parse_json(text: str) -> Any:
    """Return the value of a text. Raises ValueError for what is no JSON, or is too deep."""
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Raise ValueError where a value is too deep."""
    level = [value]
    for _ in range(MAX_DEPTH_LEVELS):
        level = [item for one in level for item in _list_items(one)]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _list_items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
