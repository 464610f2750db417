"""Decisions for an ECS service, by policies of step scaling and target tracking, alone and together."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.services.application_autoscaling import deciding
from cloudlet.services.application_autoscaling.deciding import Outcome
from cloudlet.services.application_autoscaling.place import Place
from cloudlet.services.application_autoscaling.records import Policy, Target, Trigger

_PLACE = Place("123456789012", "us-east-1", "ecs", "service/default/web", "ecs:service:DesiredCount")
_NOW = 1_000_000.0
_TARGET = Target(_PLACE, "id", 1, 20, "role", 0.0)


def _step(name: str, adjustment: int, kind: str = "ChangeInCapacity", **more: Any) -> Policy:
    steps = [{"ScalingAdjustment": adjustment}]
    config = {"AdjustmentType": kind, "StepAdjustments": steps, **more}
    return Policy(_PLACE, name, name, deciding.STEP, config, 0.0, 0.0)


def _track(name: str, target: float, **more: Any) -> Policy:
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    config = {"TargetValue": target, "PredefinedMetricSpecification": metric, **more}
    alarms = {"AlarmHigh": f"{name}-high", "AlarmLow": f"{name}-low"}
    return Policy(_PLACE, name, name, deciding.TRACKING, config, 0.0, 0.0, alarms)


def _ring(policy: Policy, *values: float, alarm: str = "alarm") -> Trigger:
    return Trigger(_PLACE, policy.name, alarm, "ALARM", 70.0, list(values))


def _decide(
    capacity: int, *rung: tuple[Policy, Trigger], target: Target = _TARGET, may_track_in: bool = True
) -> Outcome:
    policies = {policy.name: policy for policy, _ in rung}
    triggers = [trigger for _, trigger in rung]
    return deciding.decide(target, policies, triggers, capacity, _NOW, may_track_in=may_track_in)


def _capacity(*given: Any, **more: Any) -> int | None:
    decision = _decide(*given, **more).decision
    return None if decision is None else decision.capacity


def test_the_largest_capacity_wins() -> None:
    # User guide: one policy adds 3, another one 200 percent of 10.
    three, double = _step("three", 3), _step("double", 200, "PercentChangeInCapacity")
    large = replace(_TARGET, maximum=100)
    both = ((three, _ring(three, 80)), (double, _ring(double, 80)))
    assert _capacity(10, *both, target=large) == 30
    down = _step("down", -2)
    found = _decide(10, (down, _ring(down, 80)), (three, _ring(three, 80))).decision
    assert found is not None
    assert (found.capacity, found.cause) == (13, "monitor alarm alarm in state ALARM triggered policy three")


def test_bounds_limit_and_are_told() -> None:
    up, down = _step("up", 5), _step("down", -5)
    assert _capacity(18, (up, _ring(up, 80))) == 20
    assert _capacity(3, (down, _ring(down, 80))) == 1
    (refusal,) = _decide(20, (up, _ring(up, 80))).refusals
    assert refusal.reason == {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 20}
    (refusal,) = _decide(1, (down, _ring(down, 80))).refusals
    assert refusal.reason == {"Code": "AlreadyAtMinCapacity", "MinCapacity": 1}
    stay = _step("stay", 7, "ExactCapacity")
    (refusal,) = _decide(7, (stay, _ring(stay, 80))).refusals
    assert refusal.reason == {"Code": "AlreadyAtDesiredCapacity", "CurrentCapacity": 7}


def test_a_scale_out_counts_from_where_the_last_one_began_while_it_cools_down() -> None:
    up = _step("up", 2)
    cooling = replace(_TARGET, scaled_out=_NOW - 299, scaled_out_from=4)
    assert _capacity(6, (up, _ring(up, 80)), target=cooling) is None
    more = _step("more", 3)
    assert _capacity(6, (more, _ring(more, 80)), target=cooling) == 7
    assert _capacity(6, (up, _ring(up, 80)), target=replace(cooling, scaled_out=_NOW - 300)) == 8
    found = _decide(6, (more, _ring(more, 80)), target=cooling).decision
    assert found is not None
    assert found.base == 4
    short = _step("short", 2, Cooldown=60)
    assert _capacity(6, (short, _ring(short, 80)), target=cooling) == 8


def test_a_scale_in_blocks_the_next_one_but_no_scale_out() -> None:
    down, up = _step("down", -1), _step("up", 1)
    cooling = replace(_TARGET, scaled_in=_NOW - 299)
    assert _capacity(6, (down, _ring(down, 80)), target=cooling) is None
    assert _capacity(6, (up, _ring(up, 80)), target=cooling) == 7
    assert _capacity(6, (down, _ring(down, 80)), target=replace(cooling, scaled_in=_NOW - 300)) == 5


def test_target_tracking_goes_in_the_direction_of_its_alarm() -> None:
    cpu = _track("cpu", 50.0)
    assert _capacity(4, (cpu, _ring(cpu, 60, 90, alarm="cpu-high"))) == 8
    assert _capacity(4, (cpu, _ring(cpu, 60, 30, alarm="cpu-high"))) is None
    # The busiest of the minutes counts.
    assert _capacity(8, (cpu, _ring(cpu, 10, 30, 20, alarm="cpu-low"))) == 5
    assert _capacity(8, (cpu, _ring(cpu, 10, alarm="cpu-low")), may_track_in=False) is None


def test_suspended_directions_are_left_out() -> None:
    up, down = _step("up", 1), _step("down", -1)
    no_out = replace(_TARGET, suspended={"DynamicScalingOutSuspended": True})
    no_in = replace(_TARGET, suspended={"DynamicScalingInSuspended": True})
    assert _capacity(6, (up, _ring(up, 80)), target=no_out) is None
    assert _capacity(6, (down, _ring(down, 80)), target=no_out) == 5
    assert _capacity(6, (down, _ring(down, 80)), target=no_in) is None
    assert _capacity(6, (up, _ring(up, 80)), target=no_in) == 7


def test_metrics_are_aggregated_before_steps_are_looked_up() -> None:
    steps = [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 4},
    ]
    average = _step("p", 0, StepAdjustments=steps)
    assert _capacity(5, (average, _ring(average, 72, 82))) == 6
    most = _step("p", 0, StepAdjustments=steps, MetricAggregationType="Maximum")
    assert _capacity(5, (most, _ring(most, 72, 82))) == 9
    assert _capacity(5, (average, _ring(average, 60, 60))) is None
