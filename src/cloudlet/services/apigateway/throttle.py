"""Throttling: a token bucket a route. Developer guide, "Throttle requests to your HTTP APIs for better throughput"."""

from __future__ import annotations

from time import monotonic
from typing import Any

UNLIMITED = 1e12


class Bucket:
    """Admits `rate` requests a second, and `burst` at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = self._left = burst
        self._at = monotonic()

    def admits(self) -> bool:
        """Take a token, if there is one."""
        now = monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def bucket(stage: dict[str, Any], route_key: str) -> Bucket | None:
    """Return the bucket of a route by a stage's settings; None where there is no limit."""
    settings = {
        **(stage.get("DefaultRouteSettings") or {}),
        **((stage.get("RouteSettings") or {}).get(route_key) or {}),
    }
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None and burst is None:
        return None
    return Bucket(UNLIMITED if rate is None else rate, UNLIMITED if burst is None else burst)
