"""Times in UTC as ISO 8601 has them, and most of AWS's documents with it."""

from __future__ import annotations

from functools import lru_cache
from time import gmtime, strftime


def second(seconds: int) -> str:
    """Return a time, in seconds since the epoch, such as `2023-11-14T22:13:20Z`."""
    return f"{_without_zone(seconds)}Z"


@lru_cache(64)
def millisecond(millis: int) -> str:
    """Return a time, in milliseconds since the epoch, such as `2023-11-14T22:13:20.042Z`."""
    return f"{_without_zone(millis // 1000)}.{millis % 1000:03}Z"


@lru_cache(64)
def _without_zone(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))
