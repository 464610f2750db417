"""Tasks of services as targets: registered while they start, and drained before they stop.

Developer guide, "Use load balancing to distribute Amazon ECS service traffic". It is done by the API of Elastic Load
Balancing, all tasks of a service together; tasks wait for it (`running.settling`).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.machine_instance import make_instance_id
from cloudlet.core.background.retrying import is_transient
from cloudlet.services.ecs import elb_calls, service_history, services, tasks
from cloudlet.services.ecs.service_record import Service
from cloudlet.services.ecs.target_states import DEREGISTERED, DRAINING, REGISTERED, WAITING, can_follow
from cloudlet.services.ecs.task_record import Task, TaskTarget
from cloudlet.services.ecs.task_states import ACTIVATING, DEACTIVATING, RUNNING, STOPPED

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")
_LOOK_SECONDS: Final = 5.0
_CHANGING_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 5.0
_Key = tuple[str, str, str, str]
LEFT: Final = ("unused", "gone")
"""The states of targets that no load balancer sends requests to.

The latter is ours, for groups that were deleted.
"""


class TargetHealth(NamedTuple):
    """The health of a target, as its load balancer sees it."""

    state: str
    reason: str = ""


Health = Mapping[tuple[str, str, int], TargetHealth]
"""The health of targets by their groups, ids and ports."""


class _Change(NamedTuple):
    """A target of a task that is to have another state."""

    task: Task
    target: TaskTarget
    state: str


async def settle(block: Block, key: _Key) -> tuple[Health | None, float | None]:
    """Register and deregister tasks of a service.

    Return the health of its targets, None where it is not known now, and after how many seconds to look again.
    """

    async def read(tx: Transaction) -> tuple[Service | None, list[Task]]:
        live = await tasks.list_service_tasks(tx, *key)
        return await services.find(tx, *key), [task for task in live if task.targets]

    service, live = await block.store.transact(read)
    if service is None or not live:
        return {}, None
    try:
        await _register(block, service, _list_joining(live))
        await _begin_draining(block, service, _list_leaving(live))
        live = (await block.store.transact(read))[1]
        health = await _load_health(block, service, live)
        await _mark(block, service, _list_drained(live, health), [])
    except AwsError as error:
        log.warning("the load balancers of %s cannot be asked: %s", service.arn, error)
        return None, _RETRY_SECONDS
    targets = [target for task in live for target in task.targets if target.state != DEREGISTERED]
    if not targets:
        return health, None
    is_changing = any(
        target.state == DRAINING or (target.state == REGISTERED and not _is_healthy(target, health))
        for target in targets
    )
    return health, _CHANGING_SECONDS if is_changing else _LOOK_SECONDS


def _is_healthy(target: TaskTarget, health: Health) -> bool:
    return target.key in health and health[target.key].state == "healthy"


def _list_joining(live: list[Task]) -> list[_Change]:
    return [
        _Change(task, _locate(task, target), REGISTERED)
        for task in live
        if task.desired_status == RUNNING and task.last_status in (ACTIVATING, RUNNING)
        for target in task.targets
        if target.state == WAITING
    ]


def _list_leaving(live: list[Task]) -> list[_Change]:
    """Return the targets of tasks that are stopping.

    Also those that a killed process may have registered.
    """
    return [
        _Change(task, target if target.id else _locate(task, target), DRAINING)
        for task in live
        if task.desired_status == STOPPED and task.last_status in (RUNNING, DEACTIVATING)
        for target in task.targets
        if target.state in (WAITING, REGISTERED)
    ]


def _list_drained(live: list[Task], health: Health) -> list[_Change]:
    return [
        _Change(task, target, DEREGISTERED)
        for task in live
        for target in task.targets
        if target.state == DRAINING and (target.key not in health or health[target.key].state in LEFT)
    ]


def _locate(task: Task, target: TaskTarget) -> TaskTarget:
    """Return a target with its id and its port, once its container has started."""
    if task.network_mode == "awsvpc":
        return replace(target, id=task.private_ip, port=target.container_port)
    container = task.find_container(target.container)
    bindings = container.bindings if container else []
    port = next((each["hostPort"] for each in bindings if each["containerPort"] == target.container_port), 0)
    return replace(target, id=make_instance_id(task.account, task.region), port=port)


def _sort_by_group(changes: list[_Change]) -> dict[str, list[_Change]]:
    groups: dict[str, list[_Change]] = defaultdict(list)
    for change in changes:
        groups[change.target.group].append(change)
    return groups


def _make_targets(changes: list[_Change]) -> list[dict[str, Any]]:
    return [{"Id": change.target.id, "Port": change.target.port} for change in changes]


async def _register(block: Block, service: Service, joining: list[_Change]) -> None:
    for group, changes in _sort_by_group(joining).items():
        params = {"TargetGroupArn": group, "Targets": _make_targets(changes)}
        try:
            await elb_calls.call(block, service, "RegisterTargets", params)
        except AwsError as error:
            await _tell_error(block, service, f"failed to register targets in (target-group {group})", error)
            continue
        await _mark(block, service, changes, [f"registered {len(changes)} targets in (target-group {group})"])


async def _begin_draining(block: Block, service: Service, leaving: list[_Change]) -> None:
    told = {change.task.id for change in leaving}
    messages = [f"has begun draining connections on {len(told)} tasks."] if told else []
    for group, changes in _sort_by_group(leaving).items():
        params = {"TargetGroupArn": group, "Targets": _make_targets(changes)}
        try:
            await elb_calls.call(block, service, "DeregisterTargets", params)
        except AwsError as error:
            # With the target group its targets have gone.
            if error.code not in elb_calls.GONE:
                raise
        messages.append(f"deregistered {len(changes)} targets in (target-group {group})")
        await _mark(block, service, changes, messages)
        messages = []


async def _load_health(block: Block, service: Service, live: list[Task]) -> Health:
    health: dict[tuple[str, str, int], TargetHealth] = {}
    groups: dict[str, list[TaskTarget]] = defaultdict(list)
    for task in live:
        for target in task.targets:
            if target.state in (REGISTERED, DRAINING):
                groups[target.group].append(target)
    for group, targets in sorted(groups.items()):
        try:
            answer = await elb_calls.call(block, service, "DescribeTargetHealth", {"TargetGroupArn": group})
        except AwsError as error:
            if error.code not in elb_calls.GONE:
                what = f"failed to describe target health on (target-group {group})"
                await _tell_error(block, service, what, error)
                raise
            health |= {target.key: TargetHealth("gone") for target in targets}
            continue
        for each in answer.get("TargetHealthDescriptions") or ():
            said = each.get("TargetHealth") or {}
            target = each["Target"]
            reason = said.get("Description") or said.get("Reason") or ""
            health[group, target["Id"], int(target.get("Port") or 0)] = TargetHealth(said.get("State") or "", reason)
    return health


async def _mark(block: Block, service: Service, changes: list[_Change], messages: list[str]) -> None:
    """Write down the states of targets, and what is told of them."""

    async def body(tx: Transaction) -> None:
        now = block.clock.now()
        for change in changes:
            task = await tasks.find(tx, *change.task.key)
            if task is None or task.has_stopped:
                continue
            # Of those that are registered twice, each is another one by its container's port.
            known = (change.target.group, change.target.container, change.target.container_port)
            targets = [
                replace(change.target, state=change.state)
                if (each.group, each.container, each.container_port) == known and can_follow(each.state, change.state)
                else each
                for each in task.targets
            ]
            if targets != task.targets:
                tasks.save(tx, task, replace(task, targets=targets), now)
                tasks.TASKS.request(tx, *task.key)
        told = [f"(service {service.name}) {message}" for message in messages]
        await service_history.add_events(tx, service.key, told, now)

    if changes:
        await block.store.transact(body)


async def _tell_error(block: Block, service: Service, what: str, error: AwsError) -> None:
    """Tell of an error, once; raise one that will pass by itself."""
    if is_transient(error.code, error.status):
        raise error
    message = f"{what} with (error {error.message})"

    async def body(tx: Transaction) -> None:
        current = await services.find(tx, *service.key)
        if current is not None and current.stuck != message:
            services.save(tx, replace(current, stuck=message))
            told = [f"(service {service.name}) {message}"]
            await service_history.add_events(tx, service.key, told, block.clock.now())

    await block.store.transact(body)
