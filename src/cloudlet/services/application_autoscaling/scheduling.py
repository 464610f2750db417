"""Runs scheduled actions when they are due. What fell due while nothing ran happens once, then the schedule goes on."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.application_autoscaling import activities, scaling, timing
from cloudlet.services.application_autoscaling.records import (
    SCHEDULED_ACTIONS,
    TARGETS,
    Activity,
    ScheduledAction,
    Target,
)

_TOPIC: Final = b"scheduled-actions"
_DUE: Final = Subspace("due")


def enter(tx: Transaction, action: ScheduledAction, after: float) -> None:
    """Save an action, to be run when it is due next."""
    leave(tx, action)
    following = timing.find_following(action, after)
    entered = replace(action, due=0 if following is None else int(following * 1000))
    SCHEDULED_ACTIONS.save(tx, entered)
    if entered.due:
        tx.put(_DUE.key(entered.due, *entered.key), b"")
        tx.notify(_TOPIC)


def leave(tx: Transaction, action: ScheduledAction) -> None:
    """Let an action run no more."""
    if action.due:
        tx.delete(_DUE.key(action.due, *action.key))


async def run(block: Block) -> None:
    """Run scheduled actions when they are due, until the block ends."""
    await run_timers(block, _TOPIC, _DUE, "the scheduled action", _run)


async def _run(tx: Transaction, row: Row, now: float) -> None:
    due, *key = row
    action = await SCHEDULED_ACTIONS.find(tx, *key)
    if action is None or action.due != due:
        return
    target = await TARGETS.find(tx, *action.place)
    if target is not None and not target.suspended.get("ScheduledScalingSuspended"):
        _change_bounds(tx, target, action, now)
    enter(tx, action, max(now, due / 1000))


def _change_bounds(tx: Transaction, target: Target, action: ScheduledAction, now: float) -> None:
    """Set the bounds that an action says, and have the capacity brought within."""
    minimum = target.minimum if action.minimum is None else action.minimum
    maximum = target.maximum if action.maximum is None else action.maximum
    given = [
        f"{words} capacity to {value}"
        for words, value in (("min", action.minimum), ("max", action.maximum))
        if value is not None
    ]
    words, cause = " and ".join(given), f"scheduled action name {action.name} was triggered"
    is_valid = minimum <= maximum
    activity = Activity(
        target.place,
        uuid4(),
        f"Setting {words}",
        cause,
        now,
        "Successful" if is_valid else "Failed",
        message=f"Successfully set {words}"
        if is_valid
        else f"Failed to set {words}. Reason: Maximum capacity cannot be less than minimum capacity",
        ended=now,
    )
    activities.add(tx, activity)
    if is_valid:
        TARGETS.save(tx, replace(target, minimum=minimum, maximum=maximum, cause=cause))
        scaling.request(tx, target.place)
