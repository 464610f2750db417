"""Decisions: the capacity of a scalable target that follows from bounds and alarms.

User guide, "Target tracking scaling policies" and "Step scaling policies": of several policies the one with the largest
capacity decides, and scaling out precedes scaling in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cloudlet.services.application_autoscaling import activities, stepping, tracking
from cloudlet.services.application_autoscaling.dimensions import get_dimension
from cloudlet.services.application_autoscaling.records import Policy, Target, Trigger

STEP: Final = "StepScaling"
TRACKING: Final = "TargetTrackingScaling"


class Decision(NamedTuple):
    """A capacity to be set, and why."""

    capacity: int
    cause: str
    trigger: Trigger | None = None
    """None where the bounds require it."""
    base: int = 0
    """The capacity that a scale-out counts from."""


class Refusal(NamedTuple):
    """The reason why an alarm leads to nothing, as the API has it."""

    trigger: Trigger
    reason: dict[str, Any]


class Outcome(NamedTuple):
    """The outcome of all alarms together."""

    decision: Decision | None = None
    refusals: tuple[Refusal, ...] = ()


def decide_bounds(target: Target, capacity: int) -> Decision | None:
    """Return the capacity that brings a target within its bounds; None where it is."""
    if not target.cause:
        return None
    if capacity < target.minimum:
        return Decision(target.minimum, f"minimum capacity was set to {target.minimum}")
    if capacity > target.maximum:
        return Decision(target.maximum, f"maximum capacity was set to {target.maximum}")
    return None


def decide(
    target: Target,
    policies: Mapping[str, Policy],
    triggers: Sequence[Trigger],
    capacity: int,
    now: float,
    *,
    may_track_in: bool,
) -> Outcome:
    """Return what follows from alarms.

    Target tracking scales in where `may_track_in`: all of the target's policies are ready for it.
    """
    wanted: list[Decision] = []
    refusals: list[Refusal] = []
    for trigger in triggers:
        policy = policies.get(trigger.policy)
        if policy is None:
            continue
        base = _find_base(target, policy, capacity, now)
        found = _find_capacity(policy, trigger, capacity, base)
        if found is None:
            continue
        bounded = min(max(found, target.minimum), target.maximum)
        if bounded == capacity:
            refusals.append(Refusal(trigger, _explain(target, found, capacity)))
        elif bounded > capacity:
            if not target.suspended.get("DynamicScalingOutSuspended"):
                wanted.append(Decision(bounded, activities.describe_cause(trigger), trigger, base))
        elif (
            not target.suspended.get("DynamicScalingInSuspended")
            and now >= target.scaled_in + _get_cooldown(policy, is_out=False)
            and (may_track_in or policy.kind != TRACKING)
        ):
            wanted.append(Decision(bounded, activities.describe_cause(trigger), trigger))
    if not wanted:
        return Outcome(None, tuple(refusals))
    return Outcome(max(wanted, key=lambda decision: decision.capacity), tuple(refusals))


def _find_base(target: Target, policy: Policy, capacity: int, now: float) -> int:
    """Return the capacity that a scale-out counts from.

    While one cools down, what it has added is part of the next one: that counts from where the first one began.
    """
    is_cooling = now < target.scaled_out + _get_cooldown(policy, is_out=True)
    return target.scaled_out_from if is_cooling else capacity


def _find_capacity(policy: Policy, trigger: Trigger, capacity: int, base: int) -> int | None:
    """Return the capacity that a policy asks for, before bounds, or None."""
    found = _compute(policy, trigger, capacity)
    if found is None or found <= capacity or base == capacity:
        return found
    found = _compute(policy, trigger, base)
    return found if found is not None and found > capacity else None


def _compute(policy: Policy, trigger: Trigger, capacity: int) -> int | None:
    if policy.kind == STEP:
        breach = stepping.compute_value(policy.config, trigger.values) - trigger.threshold
        return stepping.compute_capacity(policy.config, breach, capacity)
    if trigger.alarm == policy.alarms.get(tracking.HIGH):
        return max(capacity, tracking.compute_capacity(policy, trigger.values[-1], capacity))
    if trigger.alarm == policy.alarms.get(tracking.LOW):
        # The busiest of the minutes counts: scaling in is to be gradual.
        return min(capacity, tracking.compute_capacity(policy, max(trigger.values), capacity))
    return None


def _get_cooldown(policy: Policy, *, is_out: bool) -> int:
    """Return a policy's cooldown in seconds."""
    default = get_dimension(policy.place).default_cooldown
    name = "Cooldown" if policy.kind == STEP else "ScaleOutCooldown" if is_out else "ScaleInCooldown"
    seconds: int = policy.config.get(name, default)
    return seconds


def _explain(target: Target, found: int, capacity: int) -> dict[str, Any]:
    if found > capacity:
        return {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": target.maximum}
    if found < capacity:
        return {"Code": "AlreadyAtMinCapacity", "MinCapacity": target.minimum}
    return {"Code": "AlreadyAtDesiredCapacity", "CurrentCapacity": capacity}
