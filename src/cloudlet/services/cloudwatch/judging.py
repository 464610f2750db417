"""What an alarm makes of the latest datapoints of its metric. User guide, "Evaluating an alarm" and "Missing data"."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cloudlet.services.cloudwatch.alarm import State

MORE_PERIODS = 2
"""How many periods are looked at besides those that are evaluated, in case that some are missing."""

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that follows, and from what."""

    state: State | None
    """None: the alarm stays in the state that it has."""
    evaluated: tuple[int, ...] = ()
    """Indices of the datapoints that count, the newest first."""
    filled: int = 0
    """For how many missing ones the treatment of missing data stood in."""


def judge(
    datapoints: Sequence[float | None], breaches: Callable[[float], bool], n: int, m: int, treatment: str
) -> Verdict:
    """Return what follows from datapoints, the oldest first, None where one is missing; M of N have to be breaching."""
    present = [at for at in range(len(datapoints) - 1, -1, -1) if datapoints[at] is not None]
    recent = range(len(datapoints) - 1, len(datapoints) - 1 - n, -1)
    evaluated = tuple(recent) if all(datapoints[at] is not None for at in recent) else tuple(present[:n])
    breaching = [at for at in evaluated if (value := datapoints[at]) is not None and breaches(value)]
    filled = n - len(evaluated)
    if len(breaching) >= m:
        return Verdict("ALARM", evaluated)
    if not filled:
        return Verdict("OK", evaluated)
    if treatment == "breaching":
        return Verdict("ALARM" if len(breaching) + filled >= m else "OK", evaluated, filled)
    if treatment == "notBreaching" or len(breaching) < len(evaluated):
        return Verdict("OK", evaluated, filled if treatment == "notBreaching" else 0)
    if treatment == "ignore":
        return Verdict(None)
    if not evaluated:
        return Verdict("INSUFFICIENT_DATA", (), filled)
    # All that there is is breaching: it counts once the oldest of it is as old as M datapoints.
    oldest = len(datapoints) - min(breaching)
    return Verdict("ALARM", evaluated) if oldest >= m else Verdict(None)
