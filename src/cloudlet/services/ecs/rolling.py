"""The rolling update: how many tasks may be started, and which ones stopped.

Developer guide, "Deploy Amazon ECS services by replacing tasks".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class TaskState(NamedTuple):
    """A running or starting task, as the scheduler sees it."""

    id: str
    is_healthy: bool
    is_unhealthy: bool = False
    """Whether it has failed its health checks: it is to be replaced."""
    is_protected: bool = False
    created: float = 0.0
    problem: str = ""
    """The reason why it is unhealthy."""
    is_draining: bool = False
    """Whether it is on a container instance that is drained: it is to be replaced."""


class Bounds(NamedTuple):
    """The number of tasks that a service wants, and its bounds during a deployment."""

    desired: int
    lowest: int
    highest: int


class Plan(NamedTuple):
    """The tasks to start and to stop now."""

    start: int
    stop: list[str]


def find_bounds(desired: int, minimum_percent: int, maximum_percent: int) -> Bounds:
    """Return the bounds of a service; the lower one is rounded up, the upper down."""
    return Bounds(desired, -(-desired * minimum_percent // 100), desired * maximum_percent // 100)


def plan(bounds: Bounds, new: Sequence[TaskState], old: Sequence[TaskState], may_start: bool = True) -> Plan:
    """Return what brings a service from old tasks to new ones, without leaving its bounds.

    New tasks are started as far as there is room. Old ones are stopped once new ones are healthy in their place, or
    before, where room is needed and enough are healthy. Unhealthy tasks are replaced in the same way, and those on
    instances that are drained count as old ones.
    """
    old = [*old, *(task for task in new if task.is_draining)]
    new = [task for task in new if not task.is_draining]
    good = [task for task in new if not task.is_unhealthy]
    bad = [task for task in new if task.is_unhealthy]
    wanted = max(0, bounds.desired - len(good))
    room = max(0, bounds.highest - len(new) - len(old))
    start = min(wanted, room) if may_start else 0
    missing = wanted - start if may_start else 0
    healthy_new = sum(task.is_healthy for task in good)
    healthy = healthy_new + sum(task.is_healthy for task in old)
    is_replaced = healthy_new >= bounds.desired
    stop = _choose_excess(good, len(good) - bounds.desired)
    stop += [task.id for task in bad if is_replaced or missing]
    # Those that serve nobody make no difference to whom they are stopped for.
    idle = [task for task in old if not task.is_healthy]
    busy = sorted((task for task in old if task.is_healthy), key=lambda task: task.created)
    if is_replaced:
        stop += [task.id for task in old if not task.is_protected]
    else:
        stop += [task.id for task in idle if not task.is_protected and (missing or task.is_draining)]
        spare = max(healthy - bounds.desired, min(missing, healthy - bounds.lowest), 0)
        stop += [task.id for task in busy if not task.is_protected][:spare]
    return Plan(start, stop)


def _choose_excess(tasks: Sequence[TaskState], count: int) -> list[str]:
    """Return tasks that are too many: first those that are not healthy, then the newest."""
    free = sorted((task for task in tasks if not task.is_protected), key=lambda task: (task.is_healthy, -task.created))
    return [task.id for task in free[: max(0, count)]]
