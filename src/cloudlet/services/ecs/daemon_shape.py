"""Daemons, their revisions and deployments as answers have them."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.services.ecs import arns, definitions, managed_instances, service_history, tasks
from cloudlet.services.ecs.capacity_provider_record import ManagedInstance
from cloudlet.services.ecs.daemon_deploying import MAX_FAILED_TASKS
from cloudlet.services.ecs.daemon_record import Daemon, is_critical, list_providers
from cloudlet.services.ecs.definition_record import OF_DAEMONS
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.managed_states import ACTIVE, DRAINING
from cloudlet.services.ecs.service_record import Revision
from cloudlet.services.ecs.service_shape import get_watch

_COUNTS: Final = ("running", "without", "draining")


def make_provider_arn(daemon: Daemon, name: str) -> str:
    """Return the ARN of a capacity provider of a daemon."""
    return arns.make_arn(daemon.region, daemon.account, "capacity-provider", name)


def describe_briefly(daemon: Daemon) -> dict[str, Any]:
    """Return a daemon as lists have it."""
    return {
        "daemonArn": daemon.arn,
        "status": daemon.status,
        "createdAt": daemon.created,
        "updatedAt": daemon.updated,
    }


async def describe(tx: Transaction, daemon: Daemon) -> dict[str, Any]:
    """Return a daemon with the revisions that instances have."""
    placed = [each for each in await _list_instances(tx, daemon) if daemon.name in each.daemons]
    current = {each.daemons[daemon.name]: None for each in placed}
    if daemon.target is not None:
        current = {daemon.target.id: None, **current}
    listed = [await _count(tx, daemon, each) for each in current]
    return {
        **describe_briefly(daemon),
        "clusterArn": daemon.cluster_arn,
        "currentRevisions": [_describe_current(each) for each in listed],
        "deploymentArn": daemon.make_arn("daemon-deployment", daemon.deployment),
    }


async def _list_instances(tx: Transaction, daemon: Daemon) -> list[ManagedInstance]:
    return await managed_instances.list_managed(tx, daemon.account, daemon.region, daemon.cluster)


async def _find_revision(tx: Transaction, daemon: Daemon, revision_id: str) -> Revision | None:
    return await service_history.find_revision(tx, daemon.history_key, revision_id)


async def _count(tx: Transaction, daemon: Daemon, revision_id: str) -> dict[str, Any]:
    """Return a revision's ARN and the counts of its instances, by capacity provider.

    Some run it, some go without it, and some are drained.
    """
    revision = await _find_revision(tx, daemon, revision_id)
    counts = {name: dict.fromkeys(_COUNTS, 0) for name in list_providers(revision)}
    for instance in await _list_instances(tx, daemon):
        if instance.daemons.get(daemon.name) != revision_id:
            continue
        task_id = instance.tasks.get(daemon.name, "")
        task = await tasks.find(tx, daemon.account, daemon.region, daemon.cluster, task_id)
        own = counts.setdefault(instance.provider, dict.fromkeys(_COUNTS, 0))
        is_running = task is not None and task.last_status == "RUNNING" and task.started_by == revision_id
        own["running"] += is_running
        own["draining"] += instance.status == DRAINING
        is_optional = revision is not None and not is_critical(revision)
        own["without"] += is_optional and not is_running and instance.status == ACTIVE
    return {
        "arn": daemon.make_arn("daemon-revision", revision_id),
        "providers": {make_provider_arn(daemon, name): each for name, each in counts.items()},
    }


def _describe_current(counted: dict[str, Any]) -> dict[str, Any]:
    providers = counted["providers"]
    return {
        "arn": counted["arn"],
        "capacityProviders": [
            {"arn": arn, "runningCount": each["running"], "withoutDaemonCount": each["without"]}
            for arn, each in providers.items()
        ],
        "totalRunningCount": sum(each["running"] for each in providers.values()),
        "totalWithoutDaemonCount": sum(each["without"] for each in providers.values()),
    }


def _describe_deployed(counted: dict[str, Any]) -> dict[str, Any]:
    providers = counted["providers"]
    return {
        "arn": counted["arn"],
        "capacityProviders": [
            {
                "arn": arn,
                "runningInstanceCount": each["running"],
                "withoutDaemonInstanceCount": each["without"],
                "drainingInstanceCount": each["draining"],
            }
            for arn, each in providers.items()
        ],
        "totalRunningInstanceCount": sum(each["running"] for each in providers.values()),
        "totalWithoutDaemonInstanceCount": sum(each["without"] for each in providers.values()),
        "totalDrainingInstanceCount": sum(each["draining"] for each in providers.values()),
    }


def _describe_course(daemon: Daemon, operation: ServiceDeployment) -> dict[str, Any]:
    return {
        "daemonDeploymentArn": daemon.make_arn("daemon-deployment", operation.id),
        "clusterArn": daemon.cluster_arn,
        "status": operation.status,
        "statusReason": operation.reason or None,
        "createdAt": operation.created,
        "startedAt": operation.started,
        "stoppedAt": operation.stopped,
        "finishedAt": operation.finished,
    }


def describe_deployment_briefly(daemon: Daemon, operation: ServiceDeployment) -> dict[str, Any]:
    """Return a deployment as lists have it."""
    target = daemon.make_arn("daemon-revision", operation.target) if operation.target else None
    return {
        **_describe_course(daemon, operation),
        "daemonArn": daemon.arn,
        "targetDaemonRevisionArn": target,
    }


async def describe_deployment(tx: Transaction, daemon: Daemon, operation: ServiceDeployment) -> dict[str, Any]:
    """Return a deployment."""
    is_over = operation.finished is not None or operation.stopped is not None
    watching = "MONITORING_COMPLETE" if is_over else "MONITORING"
    alarms = operation.configuration.get("alarms") or {}
    target = _describe_deployed(await _count(tx, daemon, operation.target)) if operation.target else None
    return {
        **_describe_course(daemon, operation),
        "targetDaemonRevision": target,
        "sourceDaemonRevisions": [_describe_deployed(await _count(tx, daemon, each)) for each in operation.sources],
        "circuitBreaker": {
            "failureCount": operation.failures,
            "status": get_watch({"enable": True}, operation.is_broken, watching),
            "threshold": MAX_FAILED_TASKS,
        },
        "alarms": {
            "status": get_watch(alarms if operation.is_watched else {}, bool(operation.triggered_alarms), watching),
            "alarmNames": alarms.get("alarmNames") or [],
            "triggeredAlarmNames": operation.triggered_alarms,
        },
        "rollback": _describe_rollback(daemon, operation),
        "deploymentConfiguration": operation.configuration,
    }


def _describe_rollback(daemon: Daemon, operation: ServiceDeployment) -> dict[str, Any] | None:
    if not operation.rollback:
        return None
    names = operation.rollback["rollbackCapacityProviders"]
    return {**operation.rollback, "rollbackCapacityProviders": [make_provider_arn(daemon, name) for name in names]}


async def describe_revision(tx: Transaction, daemon: Daemon, revision: Revision) -> dict[str, Any]:
    """Return a revision."""
    members = revision.members
    found = await definitions.find(
        tx, daemon.account, daemon.region, members["daemonTaskDefinitionArn"], kind=OF_DAEMONS
    )
    return {
        "daemonRevisionArn": daemon.make_arn("daemon-revision", revision.id),
        "clusterArn": daemon.cluster_arn,
        "daemonArn": daemon.arn,
        "daemonTaskDefinitionArn": members["daemonTaskDefinitionArn"],
        "createdAt": revision.created,
        "containerImages": [
            {"containerName": each["name"], "image": each["image"]} for each in (found.containers if found else ())
        ],
        "propagateTags": members["propagateTags"],
        "enableECSManagedTags": members["enableECSManagedTags"],
        "enableExecuteCommand": members["enableExecuteCommand"],
        "critical": members["critical"],
    }
