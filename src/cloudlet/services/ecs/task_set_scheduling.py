"""Brings the tasks of task sets to as many as their scale says.

Developer guide, "Deploy Amazon ECS services using a third-party controller".
"""

from __future__ import annotations

import math

from msgspec.structs import replace

from cloudlet.services.ecs import rolling, steady_services
from cloudlet.services.ecs.rolling import Bounds
from cloudlet.services.ecs.scheduling_round import Round
from cloudlet.services.ecs.service_record import DRAINING, Service, TaskSet


def count_desired(service: Service, task_set: TaskSet) -> int:
    """Return how many tasks a task set is to have, rounded up."""
    if task_set.status == DRAINING:
        return 0
    return math.ceil(service.desired * task_set.scale / 100)


async def settle(look: Round) -> None:
    """Start and stop tasks of all task sets of a service."""
    kept = []
    for task_set in look.service.task_sets:
        changed = await _settle(look, task_set)
        if task_set.status != DRAINING or look.is_present(task_set.id):
            kept.append(changed)
    is_steady = bool(kept) and all(each.is_steady for each in kept)
    if is_steady and not look.service.is_steady:
        look.service = steady_services.tell(look.tx, look.service, look.news, look.now)
    look.service = replace(look.service, task_sets=kept, is_steady=is_steady)


async def _settle(look: Round, task_set: TaskSet) -> TaskSet:
    desired = count_desired(look.service, task_set)
    states = await look.find_states(task_set.id)
    failures = look.count_failures(task_set.id)
    if failures:
        task_set = replace(task_set, failed_tasks=task_set.failed_tasks + failures, failed_at=look.now)
    elif any(task.is_healthy for task in states):
        task_set = replace(task_set, failed_tasks=0)
    may_start = not look.is_throttled(task_set.failed_tasks, task_set.failed_at)
    planned = rolling.plan(Bounds(desired, 0, 2 * desired + 1), states, [], may_start)
    bad = {task.id: task.problem for task in states if task.is_unhealthy}
    look.tell_unhealthy([each for each in planned.stop if each in bad])
    for reason in sorted({bad.get(each, "") for each in planned.stop}):
        look.stop([each for each in planned.stop if bad.get(each, "") == reason], reason)
    await look.start(task_set.id, task_set.revision, planned.start)
    is_steady = len(states) == desired and all(task.is_healthy for task in states)
    if is_steady == task_set.is_steady:
        return task_set
    if is_steady:
        look.news.note_action("TASKSET_STEADY_STATE", taskSetArns=[look.service.make_arn("task-set", task_set.id)])
    return replace(task_set, is_steady=is_steady, steady_at=look.now, updated=look.now)
