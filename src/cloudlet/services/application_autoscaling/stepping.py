"""Step scaling: the capacity that follows from a metric's distance to a threshold.

User guide, "How step scaling for Application Auto Scaling works".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, inf, trunc
from typing import Any, Final

from cloudlet.services.application_autoscaling import errors

MAX_STEPS: Final = 20
"""Step adjustments of a policy ("Quotas for Application Auto Scaling")."""
_PERCENT: Final = "PercentChangeInCapacity"
_AGGREGATIONS: Final = {"Minimum": min, "Maximum": max}


def check(config: Mapping[str, Any]) -> None:
    """Raise ValidationException for a configuration that makes no sense."""
    steps = config.get("StepAdjustments") or ()
    if not config.get("AdjustmentType"):
        raise errors.make_validation("AdjustmentType is required for step scaling policies.")
    if not 1 <= len(steps) <= MAX_STEPS:
        raise errors.make_validation(f"A step scaling policy must have between 1 and {MAX_STEPS} step adjustments.")
    if "MinAdjustmentMagnitude" in config and config["AdjustmentType"] != _PERCENT:
        raise errors.make_validation(
            f"MinAdjustmentMagnitude can only be specified with the adjustment type {_PERCENT}."
        )
    if config.get("Cooldown", 0) < 0:
        raise errors.make_validation("Cooldown must not be negative.")
    bounds = sorted(_get_bounds(step) for step in steps)
    if any(lower >= upper for lower, upper in bounds):
        raise errors.make_validation("The upper bound of a step adjustment must be greater than its lower bound.")
    if any(upper > lower for (_, upper), (lower, _) in pairwise(bounds)):
        raise errors.make_validation("Step adjustment intervals can't overlap.")
    if any(upper < lower for (_, upper), (lower, _) in pairwise(bounds)):
        raise errors.make_validation("Step adjustment intervals can't have a gap between them.")
    if config["AdjustmentType"] == "ExactCapacity" and any(step["ScalingAdjustment"] < 0 for step in steps):
        raise errors.make_validation("ScalingAdjustment must not be negative for the adjustment type ExactCapacity.")


def compute_value(config: Mapping[str, Any], values: Sequence[float]) -> float:
    """Return what datapoints come to, by the policy's aggregation."""
    aggregate = _AGGREGATIONS.get(config.get("MetricAggregationType", "Average"))
    return sum(values) / len(values) if aggregate is None else aggregate(values)


def compute_capacity(config: Mapping[str, Any], breach: float, capacity: int) -> int | None:
    """Return the capacity that a breach leads to; None where no step is for it.

    The breach is the metric's value less the threshold.
    """
    above = [step for step in config["StepAdjustments"] if _get_bounds(step)[0] <= breach < _get_bounds(step)[1]]
    below = [step for step in config["StepAdjustments"] if _get_bounds(step)[0] < breach <= _get_bounds(step)[1]]
    # At the threshold itself, a policy that has no step upwards has one downwards.
    found = above or below if breach == 0 else above if breach > 0 else below
    return _adjust(config, found[0]["ScalingAdjustment"], capacity) if found else None


def _get_bounds(step: Mapping[str, Any]) -> tuple[float, float]:
    return step.get("MetricIntervalLowerBound", -inf), step.get("MetricIntervalUpperBound", inf)


def _adjust(config: Mapping[str, Any], adjustment: int, capacity: int) -> int:
    match config["AdjustmentType"]:
        case "ExactCapacity":
            return adjustment
        case "ChangeInCapacity":
            return max(0, capacity + adjustment)
        case _:
            change = _round_change(capacity * adjustment / 100)
            least = config.get("MinAdjustmentMagnitude", 0)
            if change and abs(change) < least:
                change = least if change > 0 else -least
            return max(0, capacity + change)


def _round_change(change: float) -> int:
    """Return a change in whole units: one at least, else rounded towards zero."""
    if 0 < change < 1:
        return ceil(change)
    return floor(change) if -1 < change < 0 else trunc(change)
