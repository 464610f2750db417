"""The tasks of daemons: one of each on a container instance, started before others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from cloudlet.core.aws import tags
from cloudlet.services.ecs import clusters, definitions, service_history, tasks
from cloudlet.services.ecs.capacity import MANAGED
from cloudlet.services.ecs.capacity_provider_record import ManagedInstance
from cloudlet.services.ecs.daemon_record import Daemon, is_critical
from cloudlet.services.ecs.definition_record import OF_DAEMONS
from cloudlet.services.ecs.deployment_states import is_final
from cloudlet.services.ecs.managed_states import ACTIVE, DRAINING, REGISTERING
from cloudlet.services.ecs.scheduling_round import SETTLING_SECONDS
from cloudlet.services.ecs.service_record import Revision
from cloudlet.services.ecs.task_record import Task
from cloudlet.services.ecs.task_states import RUNNING
from cloudlet.services.ecs.tasks import TaskRequest

if TYPE_CHECKING:
    from cloudlet.services.ecs.daemon_scheduler import Look

BY_US: Final = "ServiceSchedulerInitiated"
_GONE: Final = "TerminationNotice"
"""The stop code where all of the machine's tasks have ended."""
_MAX_DELAY_SECONDS: Final = 300.0
_FIRST_DELAY_SECONDS: Final = 0.5


async def keep(look: Look, instance: ManagedInstance) -> None:
    """Keep one task of each daemon running on an instance, unless that is drained."""
    for name in [*instance.tasks]:
        instance = await _check(look, instance, name)
    if instance.status == DRAINING:
        return
    for name, revision_id in instance.daemons.items():
        daemon = look.daemons.get(name)
        if daemon is not None and name not in instance.tasks and not _is_throttled(look, daemon):
            instance = await _start(look, instance, daemon, revision_id)


async def _check(look: Look, instance: ManagedInstance, name: str) -> ManagedInstance:
    """Look at the task of a daemon. Return the instance, without it where it has stopped."""
    task = await tasks.find(look.tx, *look.place, instance.tasks[name])
    daemon = look.daemons.get(name)
    if task is None or task.has_stopped:
        left = {each: known for each, known in instance.tasks.items() if each != name}
        has_lost_all = task is not None and task.stop_code == _GONE and instance.status == ACTIVE
        status = REGISTERING if has_lost_all else instance.status
        instance = look.save_instance(replace(instance, tasks=left, status=status))
        look.look_again(0)
        if task is None or daemon is None or task.stop_code in (BY_US, _GONE):
            return instance
        return await _fail(look, instance, daemon, task)
    if task.desired_status != RUNNING or instance.status == DRAINING:
        return instance
    if task.health_status == "UNHEALTHY":
        look.stop([task], "Task failed container health checks")
        return await _fail(look, instance, daemon, task) if daemon is not None else instance
    if instance.daemons.get(name) != task.started_by:
        look.stop([task], "The container instance gets another revision of the daemon.")
    elif daemon is not None and daemon.failed_tasks and await is_ready(look, task):
        look.save_daemon(replace(daemon, failed_tasks=0))
    return instance


async def _fail(look: Look, instance: ManagedInstance, daemon: Daemon, task: Task) -> ManagedInstance:
    """Count the failure of a daemon's task. Where the daemon is critical, the instance is replaced."""
    look.save_daemon(replace(daemon, failed_tasks=daemon.failed_tasks + 1, failed_at=look.now))
    operation = await service_history.find_deployment(look.tx, daemon.history_key, daemon.deployment)
    if operation is not None and operation.target == task.started_by and not is_final(operation.status):
        counted = replace(operation, failures=operation.failures + 1, updated=look.now)
        service_history.save_deployment(look.tx, daemon.history_key, counted)
    revision = await _find_revision(look, daemon, task.started_by)
    if instance.status != ACTIVE or revision is None or not is_critical(revision):
        return instance
    reason = f"The task of the critical daemon {daemon.name} has stopped."
    look.stop([each for each in look.list_on(instance) if not each.daemon], reason)
    return await look.drain(instance, reason)


async def _find_revision(look: Look, daemon: Daemon, revision_id: str) -> Revision | None:
    if daemon.target is not None and daemon.target.id == revision_id:
        return daemon.target
    return await service_history.find_revision(look.tx, daemon.history_key, revision_id)


def _is_throttled(look: Look, daemon: Daemon) -> bool:
    """Whether no task is started now, as others have failed. Each time more doubles the delay."""
    if not daemon.failed_tasks:
        return False
    delay = min(math.ldexp(_FIRST_DELAY_SECONDS, min(daemon.failed_tasks - 1, 20)), _MAX_DELAY_SECONDS)
    left = daemon.failed_at + delay - look.now
    if left > 0:
        look.look_again(left)
    return left > 0


async def _start(look: Look, instance: ManagedInstance, daemon: Daemon, revision_id: str) -> ManagedInstance:
    revision = await _find_revision(look, daemon, revision_id)
    cluster = await clusters.find(look.tx, *look.place)
    if revision is None or cluster is None:
        return instance
    members = revision.members
    definition = await definitions.find(
        look.tx, daemon.account, daemon.region, members["daemonTaskDefinitionArn"], kind=OF_DAEMONS
    )
    if definition is None:
        return instance
    is_tagged = members.get("propagateTags") == "DAEMON"
    request = TaskRequest(
        definition,
        launch_type=MANAGED,
        capacity_provider=instance.provider,
        group=f"daemon:{daemon.name}",
        started_by=revision.id,
        tags=await tags.load(look.tx, daemon.arn) if is_tagged else {},
        has_managed_tags=bool(members.get("enableECSManagedTags")),
        is_command_enabled=bool(members.get("enableExecuteCommand")),
        container_instance=instance.arn,
        daemon=daemon.name,
    )
    (made,) = await tasks.start_tasks(look.tx, cluster, request, 1, look.now)
    look.live = [*look.live, made]
    return look.save_instance(replace(instance, tasks={**instance.tasks, daemon.name: made.id}))


async def is_ready(look: Look, task: Task) -> bool:
    """Whether a daemon's task runs, and is healthy or has run for a while."""
    if task.last_status != RUNNING or task.desired_status != RUNNING:
        return False
    definition = await definitions.get_revision(
        look.tx, task.account, task.region, task.family, task.revision, kind=task.definition_kind
    )
    if definition is not None and definition.checked:
        return all(each.health == "HEALTHY" for each in task.containers if each.name in definition.checked)
    left = (task.started_at or look.now) + SETTLING_SECONDS - look.now
    if left > 0:
        look.look_again(left)
    return left <= 0


async def has_daemon(look: Look, instance: ManagedInstance, name: str) -> bool:
    """Whether the wanted revision of a daemon is ready on an instance."""
    task = next((each for each in look.live if each.id == instance.tasks.get(name)), None)
    return task is not None and task.started_by == instance.daemons.get(name) and await is_ready(look, task)


async def has_all(look: Look, instance: ManagedInstance) -> bool:
    """Whether all critical daemons of an instance are ready. The others hold nobody up."""
    if instance.tasks.keys() - instance.daemons.keys():
        return False
    for name, revision_id in instance.daemons.items():
        daemon = look.daemons.get(name)
        revision = await _find_revision(look, daemon, revision_id) if daemon is not None else None
        if revision is not None and is_critical(revision) and not await has_daemon(look, instance, name):
            return False
    return True
