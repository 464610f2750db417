"""Work that brings a task from state to state, until it runs or has stopped.

Each work may be killed at any point and is done again then. It returns True once the next state may come, or after how
many seconds to look again: None is when something has happened.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from cloudlet.core.background.reconciler import Key
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs import managed_instances, tasks
from cloudlet.services.ecs.capacity import MANAGED
from cloudlet.services.ecs.managed_states import REGISTERING
from cloudlet.services.ecs.running import (
    connect_proxies,
    containers,
    failures,
    interfaces,
    log_sending,
    metadata,
    stopping,
)
from cloudlet.services.ecs.running.described import load_definition
from cloudlet.services.ecs.running.failures import TaskFailure
from cloudlet.services.ecs.running.runner import RUNNER, Runner
from cloudlet.services.ecs.target_states import DEREGISTERED, DRAINING, WAITING
from cloudlet.services.ecs.task_record import PROXY, Task, TaskContainer
from cloudlet.services.ecs.task_states import (
    ACTIVATING,
    DEACTIVATING,
    DEPROVISIONING,
    PENDING,
    PROVISIONING,
    RUNNING,
    STOPPED,
    STOPPING,
    find_next,
)

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")

Outcome = float | bool | None
Work = Callable[[Runner, Task], Awaitable[Outcome]]


async def _do_nothing(runner: Runner, task: Task) -> Outcome:
    return True


async def _wait_until_registered(runner: Runner, task: Task) -> Outcome:
    """Wait until the service scheduler has registered a task, or it has ended."""
    has_ended = any(runner.find_end(task, each) is not None for each in task.containers if each.status == RUNNING)
    return True if has_ended or all(each.state != WAITING for each in task.targets) else None


async def _wait_until_drained(runner: Runner, task: Task) -> Outcome:
    """Wait until no requests come to a task any more, unless its containers have ended."""
    done = (DRAINING, DEREGISTERED) if all(each.has_ended for each in task.containers) else (DEREGISTERED,)
    if not all(each.state in done for each in task.targets):
        return None
    return await connect_proxies.drain(runner, task)


async def _finish_task(runner: Runner, task: Task) -> Outcome:
    """Have the output of a task sent, and give up its network."""
    proxy = await connect_proxies.remove(runner, task)
    if proxy is not True:
        return proxy
    # This process may be another one than that which has sent its output by now.
    await _send_left(runner, task)
    return await interfaces.take_away(runner, task)


async def _start_containers(runner: Runner, task: Task) -> Outcome:
    """Start the containers of a task, once the daemons of its instance run. They are started first."""
    if task.kind == MANAGED and not task.daemon:
        instance_id = task.container_instance.rpartition("/")[2]
        instance = await runner.block.store.transact(lambda tx: managed_instances.find(tx, *task.key[:3], instance_id))
        if instance is not None and instance.status == REGISTERING:
            return None
    return await containers.start(runner, task)


STARTING: Final[Mapping[str, Work]] = {
    PROVISIONING: interfaces.provide,
    PENDING: _start_containers,
    ACTIVATING: _wait_until_registered,
    RUNNING: containers.start,
}
STOPPING_WORKS: Final[Mapping[str, Work]] = {
    PROVISIONING: _do_nothing,
    PENDING: _do_nothing,
    ACTIVATING: _do_nothing,
    RUNNING: _do_nothing,
    DEACTIVATING: _wait_until_drained,
    STOPPING: stopping.stop,
    DEPROVISIONING: _finish_task,
}


async def settle(block: Block, key: Key) -> float | None:
    """Bring a task where it is to be. Return after how many seconds to look again."""
    runner = RUNNER.get(block)
    await runner.sync()
    while True:
        task = await _observe(runner, key)
        if task is None or task.has_stopped:
            await _forget(runner, key, task)
            return None
        works = STARTING if task.desired_status == RUNNING else STOPPING_WORKS
        try:
            outcome = await works[task.last_status](runner, task)
        except TaskFailure as failure:
            await tasks.change(block, key, partial(_fail, failure=failure, now=block.clock.now()))
            continue
        if outcome is not True:
            return outcome
        if find_next(task.last_status, task.desired_status) is None:
            return None
        await tasks.change(block, key, partial(_advance, seen=task, now=block.clock.now()))


async def _observe(runner: Runner, key: Key) -> Task | None:
    """Write down which containers of a task have ended; return it then."""
    task = await runner.block.store.transact(lambda tx: tasks.find(tx, *key))
    if task is None or task.has_stopped:
        return task
    await metadata.open_endpoints(runner, task)
    if task.last_status == ACTIVATING:
        # However soon its containers end, it has run.
        return task
    ends = {each.name: end for each in task.containers if each.status == RUNNING
            and (end := runner.find_end(task, each)) is not None}  # fmt: skip
    if not ends:
        return task
    definition = await load_definition(runner, task)
    policies = {each["name"]: each.get("restartPolicy") for each in definition.containers}
    now = runner.block.clock.now()

    def note(current: Task) -> Task:
        noted = [
            containers.note_end(each, ends[each.name], policies.get(each.name), current.desired_status, now)
            if each.name in ends and each == task.find_container(each.name)
            else each
            for each in current.containers
        ]
        return _end_with_essential(replace(current, containers=noted), now)

    changed = await tasks.change(runner.block, key, note)
    for each in task.containers:
        if each.name in ends:
            runner.end_beside(f"health of {task.id}/{each.name}")
            await runner.forget_container(task, each)
    return changed


def _end_with_essential(task: Task, now: float) -> Task:
    """Return a task that is to stop where an essential container of it has."""
    ended = [each for each in task.containers if each.is_essential and each.has_ended]
    if not ended or task.desired_status == STOPPED:
        return task
    is_gone = all(each.exit_code is None for each in ended)
    return replace(
        task,
        desired_status=STOPPED,
        stopping_at=now,
        stop_code=failures.INFRASTRUCTURE if is_gone else failures.ESSENTIAL_EXITED,
        stopped_reason=failures.GONE_REASON if is_gone else failures.ESSENTIAL_REASON,
    )


def _fail(task: Task, failure: TaskFailure, now: float) -> Task:
    """Return a task that is to stop since it cannot start."""
    if task.desired_status == STOPPED:
        return task
    listed = [
        replace(each, status=STOPPED, reason=failure.container_reason) if each.name == failure.container else each
        for each in task.containers
    ]
    return replace(
        task,
        containers=listed,
        desired_status=STOPPED,
        stopping_at=now,
        stop_code=failures.FAILED_TO_START,
        stopped_reason=failure.reason,
    )


def _advance(task: Task, seen: Task, now: float) -> Task:
    """Return a task in the state that follows, unless it has changed its direction meanwhile."""
    if (task.last_status, task.desired_status) != (seen.last_status, seen.desired_status):
        return task
    following = find_next(task.last_status, task.desired_status)
    if following is None:
        return task
    changes: dict[str, Any] = {"last_status": following}
    if following == RUNNING:
        changes["started_at"] = now
    elif following == DEPROVISIONING:
        changes |= {"execution_stopped_at": now, "containers": [_end(each) for each in task.containers]}
    elif following == STOPPED:
        changes["stopped_at"] = now
    return replace(task, **changes)


def _end(container: TaskContainer) -> TaskContainer:
    return replace(container, status=STOPPED)


async def _forget(runner: Runner, key: Key, task: Task | None) -> None:
    """Give up all that there is of a task that has stopped."""
    runner.prepared.pop(key, None)
    metadata.forget(runner, key)
    if task is None:
        return
    for each in task.containers:
        try:
            await runner.forget_container(task, each)
        except KeeperError as error:
            log.warning("the keeper does not forget a container: %s", error)
    if await log_sending.finish(runner, task):
        await _send_left(runner, task)
    if log_sending.is_done(runner, task):
        log_sending.forget(runner, task)
        await asyncio.to_thread(shutil.rmtree, runner.get_folder(task), True)


async def _send_left(runner: Runner, task: Task) -> None:
    """Send what an earlier process has left of the output of a task."""
    if not await asyncio.to_thread(runner.get_folder(task).exists):
        return
    try:
        definition = await load_definition(runner, task)
    except TaskFailure:
        return
    described = {each["name"]: each for each in definition.containers}
    described[PROXY.name] = connect_proxies.describe_log(task)
    for each in task.logging:
        if each.started_at is not None and each.name in described:
            log_sending.watch(runner, task, each, described[each.name])
