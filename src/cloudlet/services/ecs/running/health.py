"""Health checks of containers: programs that are run in them now and then.

Developer guide, "Determine Amazon ECS task health using container health checks".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs import tasks
from cloudlet.services.ecs.running import mesh_envoys
from cloudlet.services.ecs.running.runner import Runner, make_container_name
from cloudlet.services.ecs.task_record import Task, TaskContainer

_INTERVAL_SECONDS: Final = 30.0
_TIMEOUT_SECONDS: Final = 5.0
_RETRIES: Final = 3
_STARTING_SECONDS: Final = 1.0
"""Between checks of a program that has not answered yet."""
_Question = Callable[[float], Awaitable[bool]]
"""A check, which gives up after so many seconds."""


def watch(runner: Runner, task: Task, container: TaskContainer, described: Mapping[str, Any]) -> None:
    """Check a container for as long as it runs, if it has a health check."""
    check = described.get("healthCheck")
    name = f"health of {task.id}/{container.name}"
    if check and check["command"] and check["command"][0] != "NONE" and runner.find_beside(name) is None:
        runner.go_beside(
            name, _check(runner, task, container, check, _make_question(runner, task, container, described))
        )


def _make_question(runner: Runner, task: Task, container: TaskContainer, described: Mapping[str, Any]) -> _Question:
    """Return the check of a container, as it is made once. It raises KeeperError when the container has ended."""
    if mesh_envoys.is_envoy(described):
        # There is no shell beside it, nor what else AWS's image has.
        environment = {each["name"]: each.get("value") or "" for each in described.get("environment") or ()}
        return partial(mesh_envoys.is_live, runner, task, mesh_envoys.get_admin_port(environment))
    kind, *words = described["healthCheck"]["command"]
    command = ["/bin/sh", "-c", words[0]] if kind == "CMD-SHELL" else words

    async def execute(seconds: float) -> bool:
        name = make_container_name(task, container)
        said = await runner.keeper.call("execute", name=name, command=command, seconds=seconds)
        return bool(said["code"] == 0)

    return execute


async def _check(
    runner: Runner, task: Task, container: TaskContainer, check: Mapping[str, Any], ask: _Question
) -> None:
    interval = float(check.get("interval") or _INTERVAL_SECONDS)
    timeout = float(check.get("timeout") or _TIMEOUT_SECONDS)
    retries = int(check.get("retries") or _RETRIES)
    # A program has an interval at least until failures count: Docker waits so long before it checks at all.
    grace = max(interval, float(check.get("startPeriod") or 0))
    began, failures, is_starting = runner.get_time(), 0, True
    while True:
        try:
            has_passed = await ask(timeout)
        except KeeperError:
            # It has ended.
            return
        if has_passed:
            failures = 0
            await _note(runner, task, container, "HEALTHY")
        elif not is_starting:
            failures += 1
            if failures >= retries:
                await _note(runner, task, container, "UNHEALTHY")
        is_starting = is_starting and not has_passed and runner.get_time() - began < grace
        await asyncio.sleep(_STARTING_SECONDS if is_starting else interval)


async def _note(runner: Runner, task: Task, container: TaskContainer, health: str) -> None:
    def note(current: Task) -> Task:
        listed = [
            replace(each, health=health) if (each.name, each.attempt) == (container.name, container.attempt) else each
            for each in current.containers
        ]
        return current if current.has_stopped else replace(current, containers=listed)

    known = await runner.block.store.transact(lambda tx: tasks.find(tx, *task.key))
    if known is not None and note(known) != known:
        await tasks.change(runner.block, task.key, note)
        # Others may wait for it.
        runner.request(task.key)
