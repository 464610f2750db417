"""Tasks: written, found, asked to stop, and kept for an hour when they have stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.ids import random_bytes, uuid4
from cloudlet.services.ecs import task_events
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.connect_record import TaskConnect
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.task_record import Task, TaskContainer, TaskTarget
from cloudlet.services.ecs.task_states import PENDING, PROVISIONING, STOPPED

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_TASKS: Final = Subspace("task")
_LIVE: Final = Subspace("task-live")
_OF_SERVICES: Final = Subspace("task-of-service")
_ENDED: Final = Subspace("task-ended")
_KEPT_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 60.0
_MAX_CONCURRENT_TASKS: Final = 32
_PATIENCE_SECONDS: Final = 0.5
_MAX_TASKS: Final = 50_000
"""More than a machine can run."""
_PLATFORM: Final = "1.4.0"

_encode = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Task).decode

LISTENERS: Final[list[Callable[[Transaction, Task], None]]] = []
"""Functions that are called in each transaction that writes a task."""


class TaskRequest(msgspec.Struct, frozen=True):
    """The members of tasks that are to be started."""

    definition: Definition
    launch_type: str = ""
    capacity_provider: str = ""
    platform_version: str = ""
    network: dict[str, Any] = {}
    """The `awsvpcConfiguration`."""
    group: str = ""
    service: str = ""
    started_by: str = ""
    overrides: dict[str, Any] = {}
    tags: dict[str, str] = {}
    has_managed_tags: bool = False
    is_command_enabled: bool = False
    container_instance: str = ""
    """The ARN of the container instance; empty for Fargate."""
    targets: list[TaskTarget] = []
    connect: TaskConnect | None = None
    daemon: str = ""


async def _settle(block: Block, key: Key) -> float | None:
    # Imported late: what runs tasks changes them by this module.
    from cloudlet.services.ecs.running.settling import settle

    return await settle(block, key)


TASKS: Final = Reconciler("tasks", _settle, max_concurrency=_MAX_CONCURRENT_TASKS, patience_seconds=_PATIENCE_SECONDS)
"""Runs tasks and stops them."""


def get_space(account: str, region: str, cluster: str) -> Subspace:
    """Return the subspace of the tasks of a cluster."""
    return _TASKS.sub(account, region, cluster)


async def find(tx: Transaction, account: str, region: str, cluster: str, task_id: str) -> Task | None:
    """Return a task, or None where there is none."""
    raw = await tx.get(_TASKS.key(account, region, cluster, task_id))
    return None if raw is None else decode(raw)


async def list_tasks(tx: Transaction, account: str, region: str, cluster: str) -> list[Task]:
    """Return the tasks of a cluster that have not stopped."""
    return await _load(tx, _LIVE.sub(account, region, cluster), (account, region, cluster))


async def list_service_tasks(tx: Transaction, account: str, region: str, cluster: str, service: str) -> list[Task]:
    """Return the tasks of a service that have not stopped."""
    return await _load(tx, _OF_SERVICES.sub(account, region, cluster, service), (account, region, cluster))


async def _load(tx: Transaction, space: Subspace, cluster: tuple[str, str, str]) -> list[Task]:
    rows = await tx.range(space.begin, space.end, limit=_MAX_TASKS)
    found = [await find(tx, *cluster, space.unpack(key)[0]) for key, _ in rows]
    return [task for task in found if task is not None]


async def list_live(block: Block) -> list[Key]:
    """Return the keys of all tasks that have not stopped."""
    rows = await block.store.transact(lambda tx: tx.range(_LIVE.begin, _LIVE.end, limit=_MAX_TASKS))
    return [_LIVE.unpack(key) for key, _ in rows]


async def has_tasks(tx: Transaction, account: str, region: str, cluster: str) -> bool:
    """Whether a cluster has tasks that have not stopped."""
    space = _LIVE.sub(account, region, cluster)
    return bool(await tx.range(space.begin, space.end, limit=1))


async def count_tasks(tx: Transaction, account: str, region: str, cluster: str) -> dict[tuple[str, str], int]:
    """Return how many tasks a cluster has, by launch type and last status."""
    counts: dict[tuple[str, str], int] = {}
    for task in await list_tasks(tx, account, region, cluster):
        counts[task.kind, task.last_status] = counts.get((task.kind, task.last_status), 0) + 1
    return counts


async def start_tasks(tx: Transaction, cluster: Cluster, request: TaskRequest, count: int, now: float) -> list[Task]:
    """Write tasks that are to run, and have them started once this is committed."""
    made = [_make(cluster, request, now) for _ in range(count)]
    for task in made:
        tx.put(_LIVE.key(*task.key), b"")
        if task.service:
            tx.put(_OF_SERVICES.key(task.account, task.region, task.cluster, task.service, task.id), b"")
        given = dict(request.tags)
        if request.has_managed_tags:
            given["aws:ecs:clusterName"] = cluster.name
            if task.service:
                given["aws:ecs:serviceName"] = task.service
        tags.save(tx, task.arn, given)
        save(tx, None, task, now)
        TASKS.request(tx, *task.key)
    return made


def _make(cluster: Cluster, request: TaskRequest, now: float) -> Task:
    definition, shape, overrides = request.definition, request.definition.shape, request.overrides
    is_on_fargate = not request.container_instance
    by_name = {each["name"]: each for each in overrides.get("containerOverrides") or () if each.get("name")}
    platform = request.platform_version
    storage = overrides.get("ephemeralStorage") or shape.get("ephemeralStorage") or {}
    return Task(
        cluster.account,
        cluster.region,
        cluster.name,
        random_bytes(16).hex(),
        definition.family,
        definition.revision,
        now,
        [_make_container(each, by_name.get(each["name"], {})) for each in definition.containers],
        definition.network_mode,
        launch_type=request.launch_type,
        capacity_provider=request.capacity_provider,
        platform_version=(_PLATFORM if platform in ("", "LATEST") else platform) if is_on_fargate else "",
        container_instance=request.container_instance,
        availability_zone=f"{cluster.region}a",
        group=request.group or f"family:{definition.family}",
        service=request.service,
        started_by=request.started_by,
        cpu=overrides.get("cpu") or shape.get("cpu") or "",
        memory=overrides.get("memory") or shape.get("memory") or "",
        task_role=overrides.get("taskRoleArn") or shape.get("taskRoleArn") or "",
        execution_role=overrides.get("executionRoleArn") or shape.get("executionRoleArn") or "",
        architecture=(shape.get("runtimePlatform") or {}).get("cpuArchitecture") or "X86_64",
        overrides=overrides,
        network=request.network,
        has_managed_tags=request.has_managed_tags,
        is_command_enabled=request.is_command_enabled,
        ephemeral_storage_gib=(storage.get("sizeInGiB") or 20) if is_on_fargate else 0,
        last_status=PROVISIONING if definition.network_mode == "awsvpc" else PENDING,
        connected_at=now,
        interface={"attachment": uuid4()} if definition.network_mode == "awsvpc" else {},
        credentials_id=random_bytes(16).hex(),
        endpoint_id=random_bytes(16).hex(),
        targets=request.targets,
        connect=request.connect,
        daemon=request.daemon,
    )


def _make_container(definition: dict[str, Any], override: dict[str, Any]) -> TaskContainer:
    sizes = {**definition, **{name: value for name, value in override.items() if value is not None}}
    cpu, memory, reservation = (sizes.get(name) for name in ("cpu", "memory", "memoryReservation"))
    return TaskContainer(
        definition["name"],
        definition["image"],
        bool(definition.get("essential", True)),
        cpu=str(cpu or 0),
        memory="" if memory is None else str(memory),
        memory_reservation="" if reservation is None else str(reservation),
    )


def stop_task(tx: Transaction, task: Task, reason: str, code: str, now: float) -> Task:
    """Have a task stop once this is committed. Return it as it is now."""
    if task.desired_status == STOPPED:
        return task
    stopping = replace(task, desired_status=STOPPED, stopping_at=now, stop_code=code, stopped_reason=reason)
    TASKS.request(tx, *task.key)
    return save(tx, task, stopping, now)


def save(tx: Transaction, before: Task | None, task: Task, now: float) -> Task:
    """Write a task, and tell of what has changed. Return it with its version."""
    if before is not None:
        task = replace(task, version=before.version + 1)
    tx.put(_TASKS.key(*task.key), _encode(task))
    if task.has_stopped and (before is None or not before.has_stopped):
        tx.delete(_LIVE.key(*task.key))
        tx.delete(_OF_SERVICES.key(task.account, task.region, task.cluster, task.service, task.id))
        tx.put(_ENDED.key(int(now), *task.key), b"")
    task_events.note(tx, before, task, now)
    for listener in LISTENERS:
        listener(tx, task)
    return task


async def change(block: Block, key: Key, make: Callable[[Task], Task]) -> Task | None:
    """Replace a task by what a function makes of it, and return that. None is where it is gone."""

    async def body(tx: Transaction) -> Task | None:
        task = await find(tx, *key)
        if task is None:
            return None
        changed = make(task)
        return task if changed == task else save(tx, task, changed, block.clock.now())

    return await block.store.transact(body)


async def forget_stopped(block: Block) -> None:
    """Forget tasks an hour after they have stopped, until the block ends."""

    async def delete(tx: Transaction, row: bytes) -> None:
        _, *key = _ENDED.unpack(row)
        task = await find(tx, *key)
        if task is not None:
            tags.save(tx, task.arn, {})
            tx.delete(_TASKS.key(*key))

    await delete_expired(block, _ENDED, _KEPT_SECONDS, delete, every=_LOOK_SECONDS)
