"""Tasks behind the discovery names of Service Connect, and their parts of the traffic.

Amazon ECS knows its tasks itself: AWS Cloud Map, where they are instances too, need not be asked.
Developer guide, "Service Connect resources for Amazon ECS blue/green, linear, and canary deployments".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from cloudlet.core import Transaction
from cloudlet.services.ecs import definitions, service_history, services, tasks
from cloudlet.services.ecs.connect_record import ConnectPort
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.service_record import Service
from cloudlet.services.ecs.task_record import Task

_ALL: Final = 100.0
_WEIGHT_OF_PERCENT: Final = 1000
Shift = tuple[str, float, float]
"""A service deployment, and how much of the test and production traffic its target has."""


class Target(NamedTuple):
    """A task, and its part of the traffic beside others."""

    address: str
    port: int
    weight: int = 1


class Destination(NamedTuple):
    """The tasks behind a discovery name."""

    port: ConnectPort
    """The port of the revision that is to run."""
    production: list[Target]
    test: list[Target]
    """The tasks that get requests with the header for test traffic."""


class Map(NamedTuple):
    """All that proxies of an account in a region need to know."""

    destinations: dict[str, dict[str, Destination]]
    """By the names of namespaces, and by discovery names."""
    tasks: set[str]
    """The ids of the tasks that get requests."""
    proxied: set[str]
    """The ids of the tasks that send some."""
    shifts: dict[tuple[str, str, str, str], Shift]
    """By services."""


class _Parts(NamedTuple):
    """The tasks of a service, by the traffic that they are for, with their weights."""

    production: dict[str, int]
    test: dict[str, int]


async def load(tx: Transaction, account: str, region: str) -> Map:
    """Return what is behind each discovery name of an account in a region."""
    found = Map({}, set(), set(), {})
    checked: dict[str, set[str]] = {}
    for service in await services.list_services(tx, services.get_region_space(account, region)):
        if any(each.revision.connect is not None for each in service.starters):
            await _add(tx, service, found, checked)
    return found


async def _add(tx: Transaction, service: Service, found: Map, checked: dict[str, set[str]]) -> None:
    operation = None
    if service.primary is not None:
        operation = await service_history.find_deployment(tx, service.key, service.primary.operation)
    listed = [
        task
        for task in await tasks.list_service_tasks(tx, *service.key)
        if (task.last_status, task.desired_status) == ("RUNNING", "RUNNING") and task.private_ip
    ]
    found.proxied.update(task.id for task in listed if task.connect is not None)
    live = [task for task in listed if await _is_healthy(tx, task, checked)]
    parts = find_parts(service, operation, live)
    if operation is not None:
        found.shifts[service.key] = operation.id, operation.test_percent, operation.production_percent
    found.tasks.update(parts.production, parts.test)
    # The primary deployment comes first: its ports are those that clients get.
    for starter in service.starters:
        connect = starter.revision.connect
        if connect is None:
            continue
        for port in connect.ports:
            shared = found.destinations.setdefault(connect.namespace_name, {})
            destination = shared.setdefault(port.discovery_name, Destination(port, [], []))
            own = [task for task in live if task.started_by == starter.id]
            for weights, targets in zip(parts, (destination.production, destination.test), strict=True):
                targets += [
                    Target(task.private_ip, port.ingress_port, weights[task.id]) for task in own if task.id in weights
                ]


async def _is_healthy(tx: Transaction, task: Task, checked: dict[str, set[str]]) -> bool:
    """Whether a task has passed its health checks, if it has some."""
    arn = task.definition_arn
    if arn not in checked:
        definition = await definitions.find(tx, task.account, task.region, arn)
        checked[arn] = definition.checked if definition else set()
    return all(each.health == "HEALTHY" for each in task.containers if each.name in checked[arn])


def find_parts(service: Service, operation: ServiceDeployment | None, live: Iterable[Task]) -> _Parts:
    """Return the tasks for each traffic, by the deployment that is under way."""
    if operation is None or not operation.is_staged:
        everybody = {task.id: 1 for task in live}
        return _Parts(everybody, everybody)
    revisions = {each.id: each.revision.id for each in service.starters}
    kept = service.last_completed.id if service.last_completed else ""
    new: list[str] = []
    old: dict[bool, list[str]] = {True: [], False: []}
    for task in live:
        revision = revisions.get(task.started_by)
        if revision == operation.target:
            new.append(task.id)
        else:
            old[revision == kept].append(task.id)
    production = _weigh(new, old[True] or old[False], operation.production_percent)
    test = _weigh(new, [], operation.test_percent)
    return _Parts(production, test or production)


def _weigh(new: list[str], old: list[str], percent: float) -> dict[str, int]:
    """Return the weights of tasks. The new ones together get so much of the traffic."""
    groups = [(tasks, share) for tasks, share in ((new, percent), (old, _ALL - percent)) if tasks and share > 0]
    if len(groups) == 1:
        return dict.fromkeys(groups[0][0], 1)
    return {task: max(1, round(share * _WEIGHT_OF_PERCENT / len(tasks))) for tasks, share in groups for task in tasks}
