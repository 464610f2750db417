"""What happened, in numbers: counts of outcomes, response times and their histogram.

API reference, "ServiceStatistics", "EdgeStatistics" and "HistogramEntry".
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cloudlet.services.xray.trace import Entity

_DIGITS = 3
"""Response times are told apart to the millisecond, and above a second by so many digits: there are not too many."""


def _rounded(seconds: float) -> float:
    whole_digits = len(str(int(seconds))) if seconds >= 1 else 0
    return round(seconds, _DIGITS - whole_digits)


class Statistics:
    """Of some requests, as they are counted."""

    def __init__(self) -> None:
        self.total = 0
        self._ok = 0
        self._throttled = 0
        self._other_errors = 0
        self._faults = 0
        self._seconds = 0.0
        self._histogram: Counter[float] = Counter()

    def count(self, entity: Entity) -> None:
        """Count one that has ended; what is in progress has no outcome."""
        if entity.end is None:
            return
        self.total += 1
        self._seconds += entity.duration
        self._histogram[_rounded(entity.duration)] += 1
        if entity.has_fault:
            self._faults += 1
        elif entity.has_throttle:
            self._throttled += 1
        elif entity.has_error:
            self._other_errors += 1
        else:
            self._ok += 1

    def shown(self) -> dict[str, Any]:
        """Return them as the API shows them."""
        return {
            "OkCount": self._ok,
            "ErrorStatistics": {
                "ThrottleCount": self._throttled,
                "OtherCount": self._other_errors,
                "TotalCount": self._throttled + self._other_errors,
            },
            "FaultStatistics": {"OtherCount": self._faults, "TotalCount": self._faults},
            "TotalCount": self.total,
            "TotalResponseTime": self._seconds,
        }

    def histogram(self) -> list[dict[str, Any]]:
        """Return how often each response time was seen, the shortest first."""
        return [{"Value": value, "Count": count} for value, count in sorted(self._histogram.items())]
