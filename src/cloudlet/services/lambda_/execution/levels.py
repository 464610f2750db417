"""Which lines in JSON a function's log is to have, by their levels.

Developer guide, "Configuring advanced logging controls for Lambda functions", "Log-level filtering": what a function
prints counts, too, where it is an object that says its level and its time. Other lines are not left out.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

_ORDER = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_OTHER_NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""As Python has them."""
_WITHOUT_TIME = "INFO"


class _Line(msgspec.Struct):
    level: str
    timestamp: str = ""


_decode = msgspec.json.Decoder(_Line).decode


def is_wanted(line: str, least: str) -> bool:
    """Whether a line is of a level, or above it; or says none."""
    if not line.startswith("{"):
        return True
    try:
        found = _decode(line)
    except (ValueError, RecursionError):
        return True
    level = found.level.upper()
    level = _OTHER_NAMES.get(level, level)
    if level not in _ORDER:
        return True
    return _ORDER.index(level if _is_time(found.timestamp) else _WITHOUT_TIME) >= _ORDER.index(least)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
