"""Step scaling: the capacity that follows from a breach. Examples are those of AWS's user guide."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.application_autoscaling import stepping

_OUT = {
    "AdjustmentType": "PercentChangeInCapacity",
    "StepAdjustments": [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 0},
        {"MetricIntervalLowerBound": 10.0, "MetricIntervalUpperBound": 20.0, "ScalingAdjustment": 10},
        {"MetricIntervalLowerBound": 20.0, "ScalingAdjustment": 30},
    ],
}
_IN = {
    "AdjustmentType": "PercentChangeInCapacity",
    "StepAdjustments": [
        {"MetricIntervalLowerBound": -10.0, "MetricIntervalUpperBound": 0.0, "ScalingAdjustment": 0},
        {"MetricIntervalLowerBound": -20.0, "MetricIntervalUpperBound": -10.0, "ScalingAdjustment": -10},
        {"MetricIntervalUpperBound": -20.0, "ScalingAdjustment": -30},
    ],
}


def _adjust(kind: str, adjustment: int, capacity: int, **more: Any) -> int | None:
    steps = [{"ScalingAdjustment": adjustment}]
    return stepping.compute_capacity({"AdjustmentType": kind, "StepAdjustments": steps, **more}, 1.0, capacity)


@pytest.mark.parametrize(
    ("config", "breach", "capacity"),
    [
        (_OUT, 0.0, 10),
        (_OUT, 9.9, 10),
        (_OUT, 10.0, 11),
        (_OUT, 20.0, 13),
        (_OUT, 99.0, 13),
        (_IN, 0.0, 10),
        ({**_IN, "StepAdjustments": [{"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": -10}]}, 0.0, 9),
        (_IN, -10.0, 9),
        (_IN, -9.9, 10),
        (_IN, -20.0, 7),
        (_IN, -19.9, 9),
        (_OUT, -1.0, None),
        (_IN, 1.0, None),
    ],
)
def test_bounds_are_inclusive_on_the_side_of_the_threshold(
    config: dict[str, Any], breach: float, capacity: int | None
) -> None:
    assert stepping.compute_capacity(config, breach, 10) == capacity


def test_adjustments() -> None:
    assert _adjust("ChangeInCapacity", 3, 4) == 7
    assert _adjust("ChangeInCapacity", -5, 4) == 0
    assert _adjust("ExactCapacity", 3, 9) == 3
    percent = "PercentChangeInCapacity"
    # Values above 1 are rounded down, those between 0 and 1 to 1, those between 0 and -1 to -1.
    assert _adjust(percent, 127, 10) == 22
    assert _adjust(percent, 6, 10) == 11
    assert _adjust(percent, -6, 10) == 9
    assert _adjust(percent, -66, 10) == 4
    assert _adjust(percent, 25, 4, MinAdjustmentMagnitude=2) == 6
    assert _adjust(percent, -25, 4, MinAdjustmentMagnitude=2) == 2


def test_datapoints_are_aggregated() -> None:
    assert stepping.compute_value({}, [1.0, 3.0]) == 2.0
    assert stepping.compute_value({"MetricAggregationType": "Maximum"}, [1.0, 3.0]) == 3.0
    assert stepping.compute_value({"MetricAggregationType": "Minimum"}, [1.0, 3.0]) == 1.0


@pytest.mark.parametrize(
    "config",
    [
        {"StepAdjustments": [{"ScalingAdjustment": 1}]},
        {"AdjustmentType": "ChangeInCapacity"},
        {"AdjustmentType": "ExactCapacity", "StepAdjustments": [{"ScalingAdjustment": -1}]},
        {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}] * 2},
        {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}], "Cooldown": -1},
        {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"ScalingAdjustment": 1}],
            "MinAdjustmentMagnitude": 1,
        },
        {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [
                {"MetricIntervalLowerBound": 5.0, "MetricIntervalUpperBound": 5.0, "ScalingAdjustment": 1}
            ],
        },
        {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [
                {"MetricIntervalUpperBound": 1.0, "ScalingAdjustment": 1},
                {"MetricIntervalLowerBound": 2.0, "ScalingAdjustment": 1},
            ],
        },
    ],
)
def test_configurations_that_make_no_sense_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(AwsError) as refused:
        stepping.check(config)
    assert refused.value.code == "ValidationException"


@given(st.integers(-200, 200), st.integers(0, 1000), st.integers(0, 20))
def test_a_percentage_moves_in_its_direction(adjustment: int, capacity: int, least: int) -> None:
    found = _adjust("PercentChangeInCapacity", adjustment, capacity, MinAdjustmentMagnitude=least)
    assert found is not None
    if adjustment and capacity:
        assert (found > capacity) == (adjustment > 0)
        assert abs(found - capacity) >= min(max(1, least), capacity if adjustment < 0 else 1000)
    else:
        assert found == capacity
