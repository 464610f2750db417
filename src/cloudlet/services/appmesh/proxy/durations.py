"""Durations of App Mesh as Envoy has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def to_duration(duration: Mapping[str, Any]) -> str:
    """Return a duration of App Mesh as Envoy has it."""
    milliseconds = duration["value"] * (1 if duration["unit"] == "ms" else 1000)
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}s"
