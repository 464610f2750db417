"""Scaling activities: what they say, and how they begin and end."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.application_autoscaling.activity_states import ActivityState, can_become, is_over
from cloudlet.services.application_autoscaling.dimensions import get_dimension
from cloudlet.services.application_autoscaling.place import Place
from cloudlet.services.application_autoscaling.records import ACTIVITIES, Activity, Trigger

_KEPT_SECONDS: Final = 6 * 7 * 86_400
"""Six weeks (API Reference, "DescribeScalingActivities")."""
_TIMES: Final = Subspace("activity-time")


def begin(tx: Transaction, place: Place, capacity: int, cause: str, now: float) -> Activity:
    """Begin to set a capacity."""
    words = get_dimension(place).words
    return add(tx, Activity(place, uuid4(), f"Setting {words} to {capacity}.", cause, now, "Pending", capacity))


def add(tx: Transaction, activity: Activity) -> Activity:
    """Write a new activity, and return it."""
    ACTIVITIES.save(tx, activity)
    tx.put(_TIMES.key(int(activity.started), *activity.key), b"")
    return activity


def describe_cause(trigger: Trigger) -> str:
    """Return the cause that an alarm is."""
    return f"monitor alarm {trigger.alarm} in state {trigger.state} triggered policy {trigger.policy}"


def note_unscaled(tx: Transaction, trigger: Trigger, reason: dict[str, Any], now: float) -> None:
    """Note that an alarm has led to nothing, and why."""
    activity = Activity(
        trigger.place,
        uuid4(),
        "Attempting to scale due to alarm triggered",
        describe_cause(trigger),
        now,
        "Failed",
        ended=now,
        reasons=[reason],
    )
    add(tx, activity)


def move(tx: Transaction, activity: Activity, state: ActivityState, now: float, reason: str = "") -> None:
    """Bring an activity into a state, if that may follow."""
    if not can_become(activity.state, state):
        return
    words, service = get_dimension(activity.place).words, activity.place.namespace
    done = f"Successfully set {words} to {activity.capacity}."
    messages: dict[ActivityState, str] = {
        "InProgress": f"{done} Waiting for change to be fulfilled by {service}.",
        "Successful": f"{done} Change successfully fulfilled by {service}.",
        "Unfulfilled": f"{done} Change was not fulfilled by {service}. Reason: {reason}",
        "Failed": f"Failed to set {words} to {activity.capacity}. Reason: {reason}",
        "Overridden": f"Setting {words} to {activity.capacity} was overridden by a newer scaling activity.",
    }
    ended = now if is_over(state) else None
    ACTIVITIES.save(tx, replace(activity, state=state, message=messages[state], ended=ended))


async def find_key(tx: Transaction, packed: str) -> Activity | None:
    """Return the activity with a packed key."""
    raw = await tx.get(bytes.fromhex(packed)) if packed else None
    return None if raw is None else ACTIVITIES.decode(raw)


def pack_key(activity: Activity) -> str:
    """Return the key of an activity, packed, in hexadecimal digits."""
    return ACTIVITIES.space.key(*activity.key).hex()


async def expire(block: Block) -> None:
    """Delete activities that are older than six weeks, until the block ends."""

    async def delete(tx: Transaction, row: bytes) -> None:
        _, *key = _TIMES.unpack(row)
        tx.delete(ACTIVITIES.space.key(*key))

    await delete_expired(block, _TIMES, _KEPT_SECONDS, delete)
