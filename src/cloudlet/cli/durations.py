"""Durations as people write them: 90s, 1d12h."""

from __future__ import annotations

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")


def duration(text: str) -> float:
    """Return the seconds of a duration. Raises ValueError for what is none."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"not a duration: {text!r} (90s, 1d12h)")
    return sum(float(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"[\d.]+[smhdw]", text))
