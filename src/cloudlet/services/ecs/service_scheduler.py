"""The service scheduler, which keeps the tasks of each service running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.services.ecs import (
    clusters,
    deployment_alarms,
    discovery,
    instances,
    lifecycle_hooks,
    load_balancing,
    service_history,
    services,
    task_set_scheduling,
    tasks,
    traffic,
)
from cloudlet.services.ecs.deploying import Deploying
from cloudlet.services.ecs.load_balancing import Health
from cloudlet.services.ecs.managed_states import DRAINING as INSTANCE_DRAINING
from cloudlet.services.ecs.scheduling_round import Round
from cloudlet.services.ecs.service_record import DRAINING, INACTIVE
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_PATIENCE_SECONDS: Final = 1.0
"""A step calls other services, which take their time."""


async def _schedule(block: Block, key: Key) -> float | None:
    account, region, cluster, name = key
    place = account, region, cluster, name
    is_watching, alarms = await deployment_alarms.find_triggered(block, place)
    health, health_pause = await load_balancing.settle(block, place)
    if health is None:
        # Whoever does not know who serves requests stops nobody, and starts nobody.
        return health_pause
    pauses = [
        health_pause,
        await block.store.transact(lambda tx: _advance(tx, place, block.clock.now(), alarms, health)),
        await traffic.settle(block, place),
        await discovery.settle(block, place),
        deployment_alarms.LOOK_SECONDS if is_watching else None,
    ]
    return min((pause for pause in pauses if pause is not None), default=None)


SCHEDULER: Final = Reconciler("services", _schedule, patience_seconds=_PATIENCE_SECONDS)


async def _run_hooks(block: Block, key: Key) -> float | None:
    account, region, cluster, name = key
    place = account, region, cluster, name
    pause, has_changed = await lifecycle_hooks.run(block, place)
    if has_changed:

        async def ask(tx: Transaction) -> None:
            request(tx, *place)

        await block.store.transact(ask)
    return pause


HOOKS: Final = Reconciler("service-hooks", _run_hooks, patience_seconds=_PATIENCE_SECONDS)
"""Runs the functions of lifecycle hooks. They take their time, in which tasks are scheduled."""


async def _advance(
    tx: Transaction, key: tuple[str, str, str, str], now: float, alarms: list[str], health: Health
) -> float | None:
    """Do what can be done now for a service.

    Return after how many seconds to look again.
    """
    account, region, cluster_name, _ = key
    service = await services.find(tx, *key)
    cluster = await clusters.find(tx, account, region, cluster_name)
    if service is None or cluster is None:
        return None
    stopped = await services.take_stopped(tx, service)
    if service.status == INACTIVE:
        return 0.0 if stopped else None
    draining = {each.arn for each in await instances.list_instances(tx, cluster) if each.status == INSTANCE_DRAINING}
    look = Round(tx, cluster, service, await tasks.list_service_tasks(tx, *key), stopped, now, health, draining)
    if service.status == DRAINING:
        _drain(look)
    elif service.deployments:
        operation = await service_history.find_deployment(tx, key, service.deployments[0].operation)
        if await Deploying(look, operation, alarms).advance():
            HOOKS.request(tx, *key)
    else:
        await task_set_scheduling.settle(look)
    if look.service != service:
        services.save(tx, look.service)
    await look.news.save(tx)
    return look.pause


def _drain(look: Round) -> None:
    """Stop all tasks of a service that is being deleted, which is inactive then."""
    look.stop([task.id for task in look.live if task.desired_status == "RUNNING"])
    if not look.live:
        look.service = replace(look.service, status=INACTIVE, deployments=[], task_sets=[], is_steady=False)
        services.note_deleted(look.tx, look.service, look.now)


def request(tx: Transaction, account: str, region: str, cluster: str, service: str) -> None:
    """Have the scheduler look at a service once this is committed."""
    SCHEDULER.request(tx, account, region, cluster, service)


async def request_all(tx: Transaction, account: str, region: str, cluster: str) -> None:
    """Have the scheduler look at all services of a cluster once this is committed."""
    for service in await services.list_services(tx, services.get_space(account, region, cluster)):
        request(tx, *service.key)


def note_change(tx: Transaction, task: Task) -> None:
    """Have the scheduler look at the service of a task that has changed."""
    if not task.service:
        return
    if task.has_stopped:
        services.note_stopped(tx, task)
    request(tx, task.account, task.region, task.cluster, task.service)


tasks.LISTENERS.append(note_change)
