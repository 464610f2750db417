"""Scaling: the capacity of each target is brought to what bounds and policies ask for.

A step may be killed at any point and done again: what was decided is written down before the service is asked, and the
service is asked only while it has not got the capacity.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.application_autoscaling import activities, alarming, deciding, dimensions, tracking
from cloudlet.services.application_autoscaling.activity_states import ActivityState, is_over
from cloudlet.services.application_autoscaling.deciding import Outcome
from cloudlet.services.application_autoscaling.dimensions import Observation, Session
from cloudlet.services.application_autoscaling.place import Place
from cloudlet.services.application_autoscaling.records import (
    ABANDONED_ACTIONS,
    ABANDONED_ALARMS,
    POLICIES,
    TARGETS,
    TRIGGERS,
    AbandonedAction,
    AbandonedAlarm,
    Activity,
    Policy,
    Target,
    Trigger,
)

_BUSY: Final = frozenset({"ResourceInUseException", "ResourceConflictException"})
"""The errors of a service that works on another change of the resource yet."""
_BUSY_SECONDS: Final = 1.0
_MIN_LOOK_SECONDS, _MAX_LOOK_SECONDS = 0.5, 10.0
_OWN_ALARMS_SECONDS: Final = 5.0
"""For so long PutScalingPolicy itself is at work on the alarms of its policy."""


class _Situation(NamedTuple):
    """The records of a scalable target."""

    target: Target | None
    activity: Activity | None
    policies: list[Policy]
    triggers: list[Trigger]
    abandoned: list[AbandonedAlarm]
    actions: list[AbandonedAction]


def request(tx: Transaction, place: Place) -> None:
    """Have a scalable target looked at once this transaction is committed."""
    SCALING.request(tx, *place)


async def _do_step(block: Block, key: Key) -> float | None:
    """Do what is next for a scalable target."""
    place = Place(*key)
    found = await block.store.transact(lambda tx: _load(tx, place))
    await alarming.delete_abandoned(block, found.abandoned)
    await alarming.remove_abandoned_actions(block, found.actions)
    if found.target is None:
        return None
    session = Session(block, place, found.target.role)
    observed = await _observe(session)
    if found.target.cause or found.triggers:
        outcome = await _decide(session, found, observed)
        await block.store.transact(lambda tx: _conclude(tx, found, outcome, observed, block.clock.now()))
        return 0.0
    if found.activity is not None:
        return await _carry_on(session, found.activity, observed)
    return await _settle_alarms(session, found.policies, observed)


async def _load(tx: Transaction, place: Place) -> _Situation:
    target = await TARGETS.find(tx, *place)
    activity = None if target is None else await activities.find_key(tx, target.activity)
    return _Situation(
        target,
        None if activity is None or is_over(activity.state) else activity,
        await POLICIES.list(tx, *place),
        await TRIGGERS.list(tx, *place),
        await ABANDONED_ALARMS.list(tx, *place),
        await ABANDONED_ACTIONS.list(tx, *place),
    )


async def _observe(session: Session) -> Observation:
    """Return the capacity; none where the service refuses to tell it."""
    try:
        return await dimensions.observe(session)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        return Observation(None, problem=error.message)


# -- decisions


async def _decide(session: Session, found: _Situation, observed: Observation) -> Outcome:
    """Return what is to be done about bounds and alarms."""
    target, activity = found.target, found.activity
    if target is None or observed.capacity is None:
        reason = {"Code": "TargetServicePutResourceAsUnscalable"}
        return Outcome(None, tuple(deciding.Refusal(trigger, reason) for trigger in found.triggers))
    capacity = observed.capacity if activity is None else activity.capacity
    decision = deciding.decide_bounds(target, capacity)
    if decision is not None:
        return Outcome(decision)
    policies = {policy.name: policy for policy in found.policies}
    lows = {policy.alarms.get(tracking.LOW) for policy in found.policies}
    may_track_in = any(trigger.alarm in lows for trigger in found.triggers) and await alarming.is_each_low(
        session, found.policies
    )
    now = session.block.clock.now()
    return deciding.decide(target, policies, found.triggers, capacity, now, may_track_in=may_track_in)


async def _conclude(tx: Transaction, found: _Situation, outcome: Outcome, observed: Observation, now: float) -> None:
    """Write down what was decided, unless the target was changed meanwhile."""
    before = found.target
    if before is None or await TARGETS.find(tx, *before.place) != before:
        return
    target = replace(before, cause="")
    for trigger in found.triggers:
        if await TRIGGERS.find(tx, *trigger.key) == trigger:
            TRIGGERS.remove(tx, trigger)
    for trigger, reason in outcome.refusals:
        refused = f"{trigger.alarm} {trigger.policy} {reason}"
        if refused != target.refused:
            activities.note_unscaled(tx, trigger, reason, now)
            target = replace(target, refused=refused)
    if (decision := outcome.decision) is not None:
        if found.activity is not None:
            activities.move(tx, found.activity, "Overridden", now)
        activity = activities.begin(tx, target.place, decision.capacity, decision.cause, now)
        target = replace(target, activity=activities.pack_key(activity), refused="")
        current = observed.capacity or 0
        if decision.trigger is not None and decision.capacity > current:
            target = replace(target, scaled_out=now, scaled_out_from=decision.base, scaled_in=0.0)
        elif decision.trigger is not None:
            target = replace(target, scaled_in=now)
    TARGETS.save(tx, target)


# -- activities


async def _carry_on(session: Session, activity: Activity, observed: Observation) -> float:
    """Do what is next for an activity; return after how many seconds to look again."""
    if activity.state == "Pending":
        return await _begin(session, activity, observed)
    if observed.problem or (observed.is_fulfilled and observed.capacity != activity.capacity):
        reason = observed.problem or f"the capacity is {observed.capacity}"
        return await _move(session, activity, "Unfulfilled", reason)
    if observed.is_fulfilled:
        return await _move(session, activity, "Successful")
    age = session.block.clock.now() - activity.started
    return min(max(age / 10, _MIN_LOOK_SECONDS), _MAX_LOOK_SECONDS)


async def _begin(session: Session, activity: Activity, observed: Observation) -> float:
    """Ask the service for the capacity, unless it has it already."""
    if observed.capacity is None:
        return await _move(session, activity, "Failed", observed.problem or "the resource has no such capacity.")
    if observed.capacity != activity.capacity:
        try:
            await dimensions.set_capacity(session, activity.capacity)
        except AwsError as error:
            if error.code in _BUSY:
                return _BUSY_SECONDS
            if is_transient(error.code, error.status):
                raise
            return await _move(session, activity, "Failed", error.message)
    return await _move(session, activity, "InProgress")


async def _move(session: Session, activity: Activity, state: ActivityState, reason: str = "") -> float:
    """Bring an activity into a state, and have the target looked at at once."""
    now = session.block.clock.now()

    async def body(tx: Transaction) -> None:
        target = await TARGETS.find(tx, *activity.place)
        if target is None or target.activity != activities.pack_key(activity):
            return
        activities.move(tx, activity, state, now, reason)
        # A cooldown begins when the activity has succeeded.
        if state == "Successful" and target.scaled_out == activity.started:
            TARGETS.save(tx, replace(target, scaled_out=now))
        elif state == "Successful" and target.scaled_in == activity.started:
            TARGETS.save(tx, replace(target, scaled_in=now))

    await session.block.store.transact(body)
    return 0.0


async def _settle_alarms(session: Session, policies: list[Policy], observed: Observation) -> float | None:
    """Put the alarms of policies that have others than they need."""
    pause = None
    for policy in policies:
        if not alarming.is_behind(policy, observed.capacity):
            continue
        if policy.alarmed_at is None and session.block.clock.now() - policy.modified < _OWN_ALARMS_SECONDS:
            pause = _OWN_ALARMS_SECONDS
        else:
            await alarming.put_alarms(session, policy, observed.capacity)
    return pause


SCALING: Final = Reconciler("scaling", _do_step)
