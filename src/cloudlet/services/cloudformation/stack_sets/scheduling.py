"""The order of an operation's instances: regions, concurrency, tolerance of failures.

API reference, StackSetOperationPreferences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloudlet.services.cloudformation.stack_sets.stack_set_record import Preferences, Result, Target

TOO_MANY_FAILURES: Final = "Cancelled since failure tolerance has exceeded"
STOPPED: Final = "Cancelled since the operation was stopped by the user"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The next moves of an operation."""

    start: list[Target]
    cancel: list[Target]
    reason: str = ""
    """The reason of what is cancelled."""
    ended: str = ""
    """The state that the operation ends in; empty while it goes on."""


def list_regions(preferences: Preferences, results: Sequence[Result]) -> list[str]:
    """Return the regions of an operation in their order."""
    found = sorted({result.target.region for result in results})
    asked = [region for region in preferences.regions if region in found]
    return [*asked, *(region for region in found if region not in asked)]


def make_schedule(preferences: Preferences, results: Sequence[Result], *, is_stopping: bool) -> Schedule:
    """Return what is to be started and cancelled now."""
    pending = [result.target for result in results if result.status == "PENDING"]
    is_running = any(result.status == "RUNNING" for result in results)
    if is_stopping:
        return Schedule([], pending, STOPPED, "" if is_running else "STOPPED")
    by_region = {
        region: [one for one in results if one.target.region == region] for region in list_regions(preferences, results)
    }
    if any(_count(found, "FAILED") > get_tolerance(preferences, len(found)) for found in by_region.values()):
        return Schedule([], pending, TOO_MANY_FAILURES, "" if is_running else "FAILED")
    start: list[Target] = []
    for found in by_region.values():
        waiting = [result.target for result in found if result.status == "PENDING"]
        places = get_concurrency(preferences, len(found), _count(found, "FAILED")) - _count(found, "RUNNING")
        start += waiting[: max(0, places)]
        if not preferences.is_parallel and (waiting or _count(found, "RUNNING")):
            break
    return Schedule(start, [], "", "" if pending or is_running else "SUCCEEDED")


def _count(results: Sequence[Result], status: str) -> int:
    return sum(result.status == status for result in results)


def get_tolerance(preferences: Preferences, accounts: int) -> int:
    """Return how many accounts of a region may fail."""
    if preferences.tolerance_percentage is not None:
        return accounts * preferences.tolerance_percentage // 100
    return preferences.tolerance_count or 0


def get_concurrency(preferences: Preferences, accounts: int, failed: int) -> int:
    """Return how many accounts of a region may run, after some have failed."""
    wanted = preferences.concurrency_count or 1
    if preferences.concurrency_percentage is not None:
        wanted = max(1, accounts * preferences.concurrency_percentage // 100)
    if preferences.is_soft:
        return wanted
    return min(wanted, get_tolerance(preferences, accounts) + 1 - failed)
