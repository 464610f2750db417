"""The end of containers: they are asked first, and killed after a while.

Developer guide, "stopTimeout". A container that others depend on stops after them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs.running import pulling, specs
from cloudlet.services.ecs.running.described import list_dependencies, load_definition
from cloudlet.services.ecs.running.failures import TaskFailure
from cloudlet.services.ecs.running.runner import Runner, make_container_name
from cloudlet.services.ecs.task_record import Task, TaskContainer
from cloudlet.services.ecs.task_states import RUNNING

_STOP_SECONDS: Final = 30.0
_MIN_LOOK_SECONDS: Final = 0.05


async def stop(runner: Runner, task: Task) -> float | bool:
    """Have the containers of a task end. True once all have."""
    # A process that was killed may have started one, and not have written that down.
    left = [each for each in task.containers if each.status == RUNNING or runner.is_running(task, each)]
    if not left:
        return True
    try:
        definition = await load_definition(runner, task)
        described: Mapping[str, dict[str, Any]] = {each["name"]: each for each in definition.containers}
    except TaskFailure:
        described = {}
    pauses = [await _stop(runner, task, each, described.get(each.name, {})) for each in left
              if not _is_needed(each, left, described)]  # fmt: skip
    return max(_MIN_LOOK_SECONDS, min(pauses, default=_STOP_SECONDS))


def _is_needed(container: TaskContainer, left: list[TaskContainer], described: Mapping[str, dict[str, Any]]) -> bool:
    return any(
        needed == container.name for each in left for needed, _ in list_dependencies(described.get(each.name, {}))
    )


async def _stop(runner: Runner, task: Task, container: TaskContainer, described: Mapping[str, Any]) -> float:
    """Ask a container to end, or end it where it was asked long enough ago. Return when to look again, in seconds."""
    name = make_container_name(task, container)
    asked = runner.asked_to_stop
    now = runner.get_time()
    timeout = float(described.get("stopTimeout") or _STOP_SECONDS)
    try:
        if name not in asked:
            asked[name] = now
            config = await pulling.find_config(runner.block, container.image_digest)
            number = specs.find_stop_signal(config)
            await runner.keeper.call("signal", name=name, number=number)
        elif now - asked[name] >= timeout:
            await runner.keeper.call("kill", name=name)
    except KeeperError:
        # It ends just now, which is told soon.
        return _STOP_SECONDS
    return max(0.0, asked[name] + timeout - runner.get_time()) or _STOP_SECONDS
