"""Looks after the container instances of capacity providers, and after the daemons on them.

Developer guide, "Amazon ECS Managed Daemons" and "Daemon deployments". An instance never gets another daemon: a new one
is provisioned, takes tasks once its daemons run, and the old one is drained then. All of them are this machine.

What is to be done is read from what is stored, and written in the same transaction: it may be killed at any point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.reconciler import Key
from cloudlet.services.ecs import (
    clusters,
    daemon_tasks,
    daemons,
    deployment_alarms,
    instances,
    managed_instances,
    service_history,
    service_scheduler,
    tasks,
)
from cloudlet.services.ecs.capacity import MANAGED
from cloudlet.services.ecs.capacity_provider_record import CapacityProvider, ManagedInstance
from cloudlet.services.ecs.daemon_deploying import DaemonDeploying
from cloudlet.services.ecs.daemon_record import Daemon, list_providers
from cloudlet.services.ecs.daemon_tasks import BY_US
from cloudlet.services.ecs.deployment_states import IN_PROGRESS, PENDING
from cloudlet.services.ecs.managed_states import ACTIVE, DEPROVISIONING, DRAINING, REGISTERING
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_ALL: Final = 100.0
_DEFAULT_DRAIN_PERCENT: Final = 25.0


async def settle(block: Block, key: Key) -> float | None:
    """Do what can be done now for the instances of a cluster. Return after how many seconds to look again."""
    account, region, cluster = key
    place = account, region, cluster
    watched = await block.store.transact(lambda tx: _list_watched(tx, place))
    names = sorted({name for each in watched.values() for name in each})
    triggered = {*await deployment_alarms.list_in_alarm(block, account, region, names)}
    alarms = {daemon: [name for name in each if name in triggered] for daemon, each in watched.items()}
    pause = await block.store.transact(lambda tx: _look(tx, place, block.clock.now(), alarms))
    pauses = [pause, deployment_alarms.LOOK_SECONDS if watched else None]
    return min((each for each in pauses if each is not None), default=None)


async def _list_watched(tx: Transaction, place: tuple[str, str, str]) -> dict[str, list[str]]:
    """Return the alarms that daemons' deployments are given up by, by the daemons' names."""
    watched = {}
    for daemon in await daemons.list_daemons(tx, daemons.get_space(*place)):
        alarms = daemon.configuration.get("alarms") or {}
        operation = await service_history.find_deployment(tx, daemon.history_key, daemon.deployment)
        if alarms.get("enable") and operation is not None and operation.status in (PENDING, IN_PROGRESS):
            watched[daemon.name] = alarms.get("alarmNames") or []
    return watched


async def _look(tx: Transaction, place: tuple[str, str, str], now: float, alarms: dict[str, list[str]]) -> float | None:
    cluster = await clusters.find(tx, *place)
    if cluster is None:
        return None
    look = Look(tx, place, now)
    await look.load()
    for instance in [*look.instances]:
        await daemon_tasks.keep(look, instance)
    for daemon in [*look.daemons.values()]:
        await DaemonDeploying(look, daemon, alarms.get(daemon.name, [])).advance()
    for provider in look.providers:
        await look.provide(provider)
    for instance in [*look.instances]:
        if instance.status == DRAINING:
            look.remove_empty(instance)
    return look.pause


class Look:
    """A look at the instances of a cluster's capacity providers, in a transaction."""

    def __init__(self, tx: Transaction, place: tuple[str, str, str], now: float) -> None:
        self.tx = tx
        self.place = place
        self.now = now
        self.pause: float | None = None
        """After how many seconds to look again, if nothing happens before."""
        self.providers: list[CapacityProvider] = []
        self.instances: list[ManagedInstance] = []
        self.daemons: dict[str, Daemon] = {}
        self.live: list[Task] = []

    async def load(self) -> None:
        """Read all that there is."""
        self.providers = await managed_instances.list_providers(self.tx, *self.place)
        self.instances = await managed_instances.list_managed(self.tx, *self.place)
        listed = await daemons.list_daemons(self.tx, daemons.get_space(*self.place))
        self.daemons = {each.name: each for each in listed}
        self.live = await tasks.list_tasks(self.tx, *self.place)

    def look_again(self, seconds: float) -> None:
        """Look again after so many seconds at most."""
        self.pause = seconds if self.pause is None else min(self.pause, seconds)

    def list_on(self, instance: ManagedInstance) -> list[Task]:
        """Return the tasks on an instance that have not stopped."""
        return [task for task in self.live if task.container_instance == instance.arn]

    def save_instance(self, instance: ManagedInstance) -> ManagedInstance:
        """Write an instance."""
        managed_instances.save(self.tx, instance)
        self.instances = [instance if each.id == instance.id else each for each in self.instances]
        return instance

    def save_daemon(self, daemon: Daemon) -> Daemon:
        """Write a daemon."""
        daemons.save(self.tx, daemon)
        self.daemons[daemon.name] = daemon
        return daemon

    def stop(self, stopped: list[Task], reason: str) -> None:
        """Stop tasks."""
        changed = {each.id: tasks.stop_task(self.tx, each, reason, BY_US, self.now) for each in stopped}
        self.live = [changed.get(each.id, each) for each in self.live]

    async def drain(self, instance: ManagedInstance, reason: str) -> ManagedInstance:
        """Let an instance go once it has no task any more. Services replace theirs."""
        self.look_again(0)
        await service_scheduler.request_all(self.tx, *self.place)
        return self.save_instance(replace(instance, status=DRAINING, reason=reason))

    async def provide(self, provider: CapacityProvider) -> None:
        """Have one instance of a capacity provider, with the daemons that are wanted."""
        own = [each for each in self.instances if each.provider == provider.name]
        if provider.status == DEPROVISIONING:
            if not own:
                managed_instances.remove_provider(self.tx, provider)
            return
        active = next((each for each in reversed(own) if each.status == ACTIVE), None)
        coming = next((each for each in own if each.status == REGISTERING), None)
        wanted = {
            daemon.name: daemon.target.id
            for daemon in self.daemons.values()
            if daemon.target is not None and provider.name in list_providers(daemon.target)
        }
        if active is not None and active.daemons == wanted:
            if coming is not None:
                await self.drain(coming, "The instance is not needed any more.")
        elif coming is not None and coming.daemons != wanted:
            self.save_instance(replace(coming, daemons=wanted))
            self.look_again(0)
        elif coming is not None:
            if await daemon_tasks.has_all(self, coming):
                await self._activate(coming, active)
        elif active is None or self._can_replace(active, wanted):
            made = await managed_instances.provision(self.tx, provider, self.now, REGISTERING, wanted)
            self.instances = [*self.instances, made]
            self.look_again(0)

    async def _activate(self, instance: ManagedInstance, former: ManagedInstance | None) -> None:
        """Let tasks run on a new instance, and have the former one drained."""
        self.save_instance(replace(instance, status=ACTIVE))
        for task in self.list_on(instance):
            tasks.TASKS.request(self.tx, *task.key)
        if former is not None:
            await self.drain(former, "The instance is replaced by one with other daemons.")
        await service_scheduler.request_all(self.tx, *self.place)

    def _can_replace(self, active: ManagedInstance, wanted: dict[str, str]) -> bool:
        """Whether deployments let one more instance be replaced now."""
        changed = {name for name, _ in active.daemons.items() ^ wanted.items()}
        for daemon in (self.daemons[name] for name in changed if name in self.daemons):
            names = {*list_providers(daemon.target), *list_providers(daemon.last_completed)}
            busy = {each.provider for each in self.instances if each.status != ACTIVE and each.provider in names}
            percent = daemon.configuration.get("drainPercent", _DEFAULT_DRAIN_PERCENT)
            if len(busy) >= max(1, int(len(names) * percent / _ALL)):
                return False
        return True

    def remove_empty(self, instance: ManagedInstance) -> None:
        """Remove an instance that has no task any more. Its daemons stop last."""
        left = self.list_on(instance)
        if not left:
            managed_instances.remove(self.tx, instance)
            instances.forget_given(self.tx, instance.arn)
            self.instances = [each for each in self.instances if each.id != instance.id]
            self.look_again(0)
        elif all(task.daemon for task in left):
            self.stop(left, "The container instance is drained.")


def note_change(tx: Transaction, task: Task) -> None:
    """Have the instances of a cluster looked at.

    It is due where the task of a daemon has changed, or another one has stopped.
    """
    if task.daemon or (task.has_stopped and task.kind == MANAGED):
        managed_instances.request(tx, *task.key[:3])


tasks.LISTENERS.append(note_change)
