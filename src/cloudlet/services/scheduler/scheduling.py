"""Runs schedules when they are due. What fell due while nothing ran happens once, then the schedule goes on.

A schedule is entered by when it runs next, so that nothing has to look at those that are not due.
"""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_below
from cloudlet.services.scheduler import firing, schedule
from cloudlet.services.scheduler.schedule import Schedule

TOPIC = b"schedules"
_DUE = Subspace("due")
_MINUTE_MILLISECONDS = 60_000


def enter(tx: Transaction, changed: Schedule, following: float | None, now: float) -> Schedule:
    """Save a schedule that is due next at a moment (s), if ever, and return it; `now` is in seconds, too."""
    leave(tx, changed)
    due = 0 if following is None or not changed.enabled else max(1, int(following * 1000))
    entered = replace(changed, due=due, runs=_within_window(changed, due, int(now * 1000)) if due else 0)
    schedule.save(tx, entered)
    if entered.runs:
        tx.put(_key(entered), b"")
        tx.notify(TOPIC)
    return entered


def _within_window(entered: Schedule, due: int, now: int) -> int:
    """Return when a schedule runs that is due (ms): then, or at random within its window, before it is due again."""
    if not entered.window:
        return due
    earliest, latest = max(due, now), due + entered.window * _MINUTE_MILLISECONDS
    again = entered.timing.following(due / 1000)
    if again is not None:
        latest = min(latest, int(again * 1000))
    return earliest + random_below(latest - earliest) if latest > earliest else earliest


def leave(tx: Transaction, gone: Schedule) -> None:
    """Let a schedule run no more."""
    if gone.runs:
        tx.delete(_key(gone))


def _key(entered: Schedule) -> bytes:
    return _DUE.key(entered.runs, entered.account, entered.region, entered.group, entered.name)


async def run(block: Block) -> None:
    """Run schedules when they are due, until the block ends."""
    await run_timers(block, TOPIC, _DUE, "the schedule", _run)


async def _run(tx: Transaction, row: Row, now: float) -> None:
    """Write down what a schedule that is due is to do, and when it is due next."""
    runs, *place = row
    found = await schedule.find(tx, *place)
    if found is None or found.runs != runs:
        return
    firing.add(tx, found, now)
    # What fell due meanwhile has its own run while its window is open.
    following = found.timing.following(max(now - found.window * 60, found.due / 1000))
    if following is None and found.deletes_itself:
        schedule.remove(tx, found)
    else:
        enter(tx, found, following, now)
