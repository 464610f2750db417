"""Task sets: finding them by what requests say."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.ecs import arns, errors, services
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.service_record import Service, TaskSet


def find(service: Service, reference: str) -> TaskSet | None:
    """Return a task set of a service by its id or ARN."""
    names = arns.parse_names("task-set", reference, service.account, service.region)
    name = "/".join(names[2:]) if reference.startswith("arn:") else reference
    return next((each for each in service.task_sets if each.id == name), None)


def get(service: Service, reference: str) -> TaskSet:
    """Return a task set of a service. Raises TaskSetNotFoundException."""
    found = find(service, reference)
    if found is None:
        raise errors.TaskSetNotFound
    return found


async def is_there(tx: Transaction, cluster: Cluster, names: list[str]) -> bool:
    """Whether a cluster has a task set by its service's name and its id."""
    service = await services.find(tx, cluster.account, cluster.region, cluster.name, names[0])
    return service is not None and any(each.id == "/".join(names[1:]) for each in service.task_sets)
