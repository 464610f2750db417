"""Services, their deployments, revisions and task sets as answers have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import (
    connect_services,
    definitions,
    elb_calls,
    express_shape,
    lifecycle_hooks,
    resource_tags,
    service_history,
    task_set_scheduling,
    tasks,
    traffic,
)
from cloudlet.services.ecs.capacity import PLATFORM_VERSION
from cloudlet.services.ecs.deploying import find_bounds, find_threshold
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.service_record import PRIMARY, Deployment, Revision, Service, TaskSet
from cloudlet.services.ecs.task_record import Task

_STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")


def _count(live: list[Task], starter: str | None = None) -> dict[str, int]:
    """Return how many tasks of a service or a deployment run, and are about to."""
    found = [task for task in live if starter in (None, task.started_by)]
    return {
        "runningCount": sum(task.last_status == "RUNNING" for task in found),
        "pendingCount": sum(task.last_status in _STARTING for task in found),
    }


async def describe(tx: Transaction, service: Service, has_tags: bool) -> dict[str, Any]:
    """Return a service."""
    live = await tasks.list_service_tasks(tx, *service.key)
    revision = service.revision
    arns = await connect_services.load(tx, service.key)
    options = dict(service.options)
    role = options.pop("role", "")
    answer: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": find_bounds(service).desired if service.scheduling == "DAEMON" else service.desired,
        **_count(live),
        **_omit(revision.members if revision else {}, "serviceConnectConfiguration", "gatewayConnectors"),
        "loadBalancers": revision.members.get("loadBalancers") or [] if revision else [],
        "serviceRegistries": revision.members.get("serviceRegistries") or [] if revision else [],
        "resourceManagementType": "CUSTOMER",
        **options,
        "roleArn": elb_calls.make_role_arn(service, role) if role else None,
        "placementConstraints": service.options.get("placementConstraints") or [],
        "placementStrategy": service.options.get("placementStrategy") or [],
        "propagateTags": service.options.get("propagateTags") or "NONE",
        "enableECSManagedTags": bool(service.options.get("enableECSManagedTags")),
        "enableExecuteCommand": bool(service.options.get("enableExecuteCommand")),
        "schedulingStrategy": service.scheduling,
        "deploymentController": {"type": service.controller},
        "deployments": [_describe_deployment(service, each, live, arns) for each in service.deployments],
        "events": await service_history.load_events(tx, service.key),
        "createdAt": service.created,
        "createdBy": service.created_by,
    }
    if service.task_sets:
        answer["taskSets"] = [describe_task_set(service, each, live) for each in service.task_sets]
    if service.primary is not None:
        answer["currentServiceDeployment"] = service.make_arn("service-deployment", service.primary.operation)
        # Here they have no weights of traffic.
        answer["currentServiceRevisions"] = [
            _describe_reference(service, each.revision.id, live, None) for each in service.deployments
        ]
    if has_tags:
        answer["tags"] = resource_tags.to_api(await tags.load(tx, service.arn))
    return answer


def _omit(members: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return members without some that an answer does not have."""
    return {name: value for name, value in members.items() if name not in names}


def _resolve(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a revision with the platform version that its tasks have."""
    is_latest = members.get("platformVersion") == "LATEST"
    return {**members, "platformVersion": PLATFORM_VERSION} if is_latest else dict(members)


def _describe_deployment(
    service: Service, deployment: Deployment, live: list[Task], arns: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    is_primary = deployment.status == PRIMARY
    wanted = sum(task.started_by == deployment.id and task.desired_status == "RUNNING" for task in live)
    members = _omit(_resolve(deployment.revision.members), "serviceRegistries", "loadBalancers", "gatewayConnectors")
    return {
        **members,
        "id": deployment.id,
        "status": deployment.status,
        "desiredCount": find_bounds(service).desired if is_primary else wanted,
        **_count(live, deployment.id),
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created,
        "updatedAt": deployment.updated,
        "rolloutState": deployment.rollout,
        "rolloutStateReason": deployment.reason,
        "serviceConnectResources": _describe_connect(deployment.revision, arns),
    }


def _describe_connect(revision: Revision, arns: Mapping[tuple[str, str], str]) -> list[dict[str, Any]] | None:
    """Return the services in Cloud Map that stand for the ports of a revision."""
    connect = revision.connect
    if connect is None:
        return None
    return [
        {"discoveryName": port.discovery_name, "discoveryArn": arns.get((connect.namespace_id, port.discovery_name))}
        for port in connect.ports
    ]


def describe_task_set(service: Service, task_set: TaskSet, live: list[Task]) -> dict[str, Any]:
    """Return a task set."""
    return {
        **_resolve(task_set.revision.members),
        "id": task_set.id,
        "taskSetArn": service.make_arn("task-set", task_set.id),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "externalId": task_set.external_id or None,
        "status": task_set.status,
        "computedDesiredCount": task_set_scheduling.count_desired(service, task_set),
        **_count(live, task_set.id),
        "createdAt": task_set.created,
        "updatedAt": task_set.updated,
        "loadBalancers": task_set.revision.members.get("loadBalancers") or [],
        "serviceRegistries": task_set.revision.members.get("serviceRegistries") or [],
        "scale": {"value": task_set.scale, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if task_set.is_steady else "STABILIZING",
        "stabilityStatusAt": task_set.steady_at or task_set.created,
        "tags": [],
    }


def _describe_weights(service: Service, revision: str, operation: ServiceDeployment | None) -> dict[str, float]:
    """Return how much of the traffic a revision has, where that can be shifted."""
    shifts_traffic = service.primary is not None and service.primary.revision.shifts_traffic
    if operation is None or not operation.is_staged or not shifts_traffic:
        return {}
    test, production = max(0.0, operation.shifted_test), max(0.0, operation.shifted_production)
    if revision != operation.target:
        is_source = revision in operation.sources
        test, production = (traffic.ALL - test, traffic.ALL - production) if is_source else (0.0, 0.0)
    return {"requestedTestTrafficWeight": test, "requestedProductionTrafficWeight": production}


def _describe_reference(
    service: Service, revision: str, live: list[Task], operation: ServiceDeployment | None
) -> dict[str, Any]:
    """Return a revision with how many tasks run by it."""
    starters = [each for each in service.deployments if each.revision.id == revision]
    ids = {each.id for each in starters}
    found = [task for task in live if task.started_by in ids]
    is_primary = any(each.status == PRIMARY for each in starters)
    counts = _count(found)
    wanted = sum(task.desired_status == "RUNNING" for task in found)
    return {
        "arn": service.make_arn("service-revision", revision),
        "requestedTaskCount": find_bounds(service).desired if is_primary else wanted,
        "runningTaskCount": counts["runningCount"],
        "pendingTaskCount": counts["pendingCount"],
        **_describe_weights(service, revision, operation),
    }


async def describe_operation(tx: Transaction, service: Service, operation: ServiceDeployment) -> dict[str, Any]:
    """Return a service deployment."""
    live = await tasks.list_service_tasks(tx, *service.key)
    breaker = operation.configuration.get("deploymentCircuitBreaker") or {}
    alarms = operation.configuration.get("alarms") or {}
    is_over = operation.finished is not None or operation.stopped is not None
    watching = "MONITORING_COMPLETE" if is_over else "MONITORING"
    return {
        **_describe_course(service, operation),
        "updatedAt": operation.updated,
        "stoppedAt": operation.stopped,
        "sourceServiceRevisions": [_describe_reference(service, each, live, operation) for each in operation.sources],
        "targetServiceRevision": _describe_reference(service, operation.target, live, operation),
        "lifecycleStage": operation.stage or None,
        "lifecycleHookDetails": lifecycle_hooks.to_api(operation),
        "deploymentConfiguration": operation.configuration,
        "rollback": operation.rollback or None,
        "deploymentCircuitBreaker": {
            "status": get_watch(breaker, operation.is_broken, watching),
            "failureCount": operation.failures,
            "threshold": find_threshold(service),
        },
        "alarms": {
            "status": get_watch(alarms if operation.is_watched else {}, bool(operation.triggered_alarms), watching),
            "alarmNames": alarms.get("alarmNames") or [],
            "triggeredAlarmNames": operation.triggered_alarms,
        },
    }


def get_watch(configuration: dict[str, Any], is_triggered: bool, watching: str) -> str:
    """Return the status of what may give a deployment up."""
    if not configuration.get("enable"):
        return "DISABLED"
    return "TRIGGERED" if is_triggered else watching


def describe_briefly(service: Service, operation: ServiceDeployment) -> dict[str, Any]:
    """Return a service deployment as lists have it."""
    target = service.make_arn("service-revision", operation.target)
    return {**_describe_course(service, operation), "targetServiceRevisionArn": target}


def _describe_course(service: Service, operation: ServiceDeployment) -> dict[str, Any]:
    return {
        "serviceDeploymentArn": service.make_arn("service-deployment", operation.id),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": operation.created,
        "startedAt": operation.started,
        "finishedAt": operation.finished,
        "status": operation.status,
        "statusReason": operation.reason or None,
    }


def _describe_groups(revision: Revision) -> list[dict[str, Any]]:
    """Return the target groups that the tasks of a revision are in."""
    return [
        {
            "targetGroupArn": group,
            "productionListenerRule": (each.get("advancedConfiguration") or {}).get("productionListenerRule"),
        }
        for each, group in zip(revision.balancers, revision.groups, strict=True)
    ]


async def describe_revision(tx: Transaction, service: Service, revision: Revision) -> dict[str, Any]:
    """Return a service revision."""
    found = await definitions.find(tx, service.account, service.region, revision.members["taskDefinition"])
    images = [{"containerName": each["name"], "image": each["image"]} for each in (found.containers if found else ())]
    return {
        **_resolve(revision.members),
        "serviceRevisionArn": service.make_arn("service-revision", revision.id),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "containerImages": images,
        "resolvedConfiguration": {"loadBalancers": _describe_groups(revision)} if revision.groups else None,
        "ecsManagedResources": await express_shape.describe_resources(tx, service, revision),
        "createdAt": revision.created,
    }
