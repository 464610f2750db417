"""Containers of tasks: their start in the order of their dependencies, and their ends.

Developer guide, "Container dependencies" (ContainerDependency) and "Restart individual containers in tasks".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs import tasks
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.running import (
    connect_proxies,
    failures,
    health,
    log_sending,
    mesh_envoys,
    pulling,
    redirection,
    secrets,
    specs,
)
from cloudlet.services.ecs.running.described import list_dependencies, load_definition
from cloudlet.services.ecs.running.failures import StartFailure, TaskFailure
from cloudlet.services.ecs.running.runner import End, Runner, make_container_name
from cloudlet.services.ecs.task_record import Task, TaskContainer
from cloudlet.services.ecs.task_states import PENDING, RUNNING, STOPPED

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_MAX_START_SECONDS: Final = 180.0
"""The time for which others are waited that have no startTimeout (ECS_CONTAINER_START_TIMEOUT)."""


class Supplies(NamedTuple):
    """The images and variables of the containers of a task, by their names."""

    images: dict[str, pulling.LocalImage]
    environments: dict[str, dict[str, str]]


async def start(runner: Runner, task: Task) -> float | bool | None:
    """Start what can be started. True once nothing waits any more. Raises TaskFailure."""
    proxy = await connect_proxies.provide(runner, task)
    if proxy is not True:
        return proxy
    definition = await load_definition(runner, task)
    described = {each["name"]: each for each in definition.containers}
    _watch(runner, task, described)
    if all(each.status != PENDING for each in task.containers):
        return True
    await redirection.provide(runner, task, definition)
    prepared = await _prepare(runner, task, definition)
    while True:
        ready = [each for each in task.containers if each.status == PENDING and _is_ready(task, each, described)]
        if not ready:
            break
        results = await asyncio.gather(
            *(_start(runner, task, each, definition, prepared) for each in ready), return_exceptions=True
        )
        # Those that run are written down also where others do not: they are to be stopped then.
        started = [each for each in results if isinstance(each, TaskContainer)]
        changed = await tasks.change(runner.block, task.key, lambda current: _mark_started(current, started))  # noqa: B023
        for error in (each for each in results if isinstance(each, BaseException)):
            raise error
        if changed is None:
            return None
        task = changed
        _watch(runner, task, described)
    waiting = [each for each in task.containers if each.status == PENDING]
    return True if not waiting else _find_pause(runner, task, waiting, described)


def _mark_started(task: Task, started: list[TaskContainer]) -> Task:
    by_name = {each.name: each for each in started}
    return replace(task, containers=[by_name.get(each.name, each) for each in task.containers])


async def _prepare(runner: Runner, task: Task, definition: Definition) -> Supplies:
    """Have images and secrets ready. Raises TaskFailure."""
    known: Supplies | None = runner.prepared.get(task.key)
    if known is not None:
        return known
    block = runner.block
    if task.pull_started_at is None:
        began = block.clock.now()
        task = await tasks.change(block, task.key, lambda each: replace(each, pull_started_at=began)) or task
    environments = {each["name"]: await secrets.load_environment(block, task, each) for each in definition.containers}
    images = {each["name"]: await _fetch_image(block, task, each) for each in definition.containers}
    ended = block.clock.now()

    def note(current: Task) -> Task:
        listed = [replace(each, image_digest=images[each.name].digest) for each in current.containers]
        return replace(current, pull_stopped_at=current.pull_stopped_at or ended, containers=listed)

    await tasks.change(block, task.key, note)
    made = runner.prepared[task.key] = Supplies(images, environments)
    return made


async def _fetch_image(block: Block, task: Task, described: dict[str, Any]) -> pulling.LocalImage:
    if mesh_envoys.is_envoy(described):
        return await asyncio.to_thread(mesh_envoys.provide_image, block, described)
    return await pulling.fetch(block, task, described)


def _is_ready(task: Task, container: TaskContainer, described: Mapping[str, dict[str, Any]]) -> bool:
    """Whether the dependencies of a container are met. Raises TaskFailure where they never will be."""
    for needed, condition in list_dependencies(described[container.name]):
        other = task.find_container(needed)
        if other is None or not _is_met(other, container, condition):
            return False
    return True


def _is_met(other: TaskContainer, container: TaskContainer, condition: str) -> bool:
    if condition == "START":
        return other.status != PENDING
    if condition == "COMPLETE":
        return other.has_ended
    text = f"failed to resolve container ordering dependency [{other.name}] for target [{container.name}] as dependency"
    if condition == "SUCCESS":
        if other.has_ended and other.exit_code != 0:
            raise TaskFailure(f"dependency graph: {text} did not exit successfully.")
        return other.has_ended
    if other.has_ended:
        raise TaskFailure(f"dependency graph: {text} has stopped.")
    return other.health == "HEALTHY"


def _find_pause(
    runner: Runner, task: Task, waiting: list[TaskContainer], described: Mapping[str, dict[str, Any]]
) -> float:
    """Return for how long the containers that wait may yet do so. Raises TaskFailure where it took too long."""
    now, left = runner.get_time(), []
    for each in waiting:
        for needed, _ in list_dependencies(described[each.name]):
            other = task.find_container(needed)
            if other is None or other.started_at is None:
                continue
            began = runner.awaited.setdefault(make_container_name(task, other), now)
            ends = began + float(described[needed].get("startTimeout") or _MAX_START_SECONDS)
            if now >= ends:
                text = f"container ordering dependency [{needed}] for target [{each.name}] has timed out."
                raise TaskFailure(f"dependency graph: {text}")
            left.append(ends - now)
    return min(left, default=_MAX_START_SECONDS)


async def _start(
    runner: Runner, task: Task, container: TaskContainer, definition: Definition, prepared: Supplies
) -> TaskContainer:
    described = next(each for each in definition.containers if each["name"] == container.name)
    await log_sending.open_stream(runner.block, task, container, described)
    image, environment = prepared.images[container.name], prepared.environments[container.name]
    spec, place, bindings = await specs.describe(runner, task, definition, described, image, environment)
    try:
        await runner.run(task, container, spec)
    except KeeperError as error:
        raise StartFailure(container.name, str(error).partition(": ")[2] or str(error)) from None
    started = runner.block.clock.now()
    return replace(
        container,
        status=RUNNING,
        started_at=started,
        image_digest=image.digest,
        bindings=bindings,
        address=place.address if task.network_mode == "bridge" else "",
    )


def _watch(runner: Runner, task: Task, described: Mapping[str, dict[str, Any]]) -> None:
    """Have somebody look after the health and the output of the containers that run."""
    for each in task.containers:
        if each.started_at is not None:
            log_sending.watch(runner, task, each, described[each.name])
        if each.status == RUNNING:
            health.watch(runner, task, each, described[each.name])


def note_end(
    container: TaskContainer, end: End, policy: Mapping[str, Any] | None, desired: str, now: float
) -> TaskContainer:
    """Return a container as it is once it has ended.

    It is to start again where its restart policy says so.
    """
    reason = failures.OUT_OF_MEMORY if end.is_out_of_memory else ""
    ended = replace(container, status=STOPPED, exit_code=end.code, finished_at=now, reason=reason or container.reason)
    if not policy or not policy.get("enabled") or desired == STOPPED or end.code is None:
        return ended
    period = float(policy.get("restartAttemptPeriod") or 300)
    if end.code in (policy.get("ignoredExitCodes") or ()) or now - (container.started_at or now) < period:
        return ended
    return replace(ended, status=PENDING, attempt=container.attempt + 1, health="UNKNOWN", exit_code=None)
