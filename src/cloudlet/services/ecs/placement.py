"""Placement of tasks on a container instance: whether it has what they need.

Developer guide, "Define which container instances Amazon ECS uses for tasks". Each cluster and each capacity provider
has one, this machine: strategies choose it in any case, and constraints may rule it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.aws import iso8601
from cloudlet.services.ecs import definitions, errors, instances, query_language, tasks
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.instances import Instance
from cloudlet.services.ecs.query_language import Facts
from cloudlet.services.ecs.task_record import Task
from cloudlet.services.ecs.task_states import RUNNING

_MAX_CONSTRAINTS: Final = 10
_MAX_STRATEGIES: Final = 5
_PACKED: Final = ("cpu", "memory")
Constraints = Iterable[Mapping[str, Any]]


class Problem(NamedTuple):
    """The reason why a task cannot be placed, as failures and events have it."""

    failure: str
    event: str
    words: str = ""


_MEMORY: Final = Problem("RESOURCE:MEMORY", "RESOURCE:MEMORY", "has insufficient memory available")
PORTS: Final = Problem("RESOURCE:PORTS", "RESOURCE:PORTS", "is already using a port required by your task")
_CPU: Final = Problem("RESOURCE:CPU", "RESOURCE:CPU", "has insufficient CPU units available")
_MEMBER: Final = Problem("MemberOf placement constraint unsatisfied.", "ATTRIBUTE")
NO_INSTANCE: Final = Problem("INACTIVE", "RESOURCE:*")
NO_INSTANCE_WORDS: Final = "No Container Instances were found in your cluster."
"""No instance takes tasks, as it is drained."""
_DISTINCT: Final = Problem("DistinctInstance placement constraint unsatisfied.", "ATTRIBUTE")


def check(constraints: list[dict[str, Any]], strategies: list[dict[str, Any]]) -> None:
    """Raise InvalidParameterException for constraints and strategies that make no sense."""
    if len(constraints) > _MAX_CONSTRAINTS or len(strategies) > _MAX_STRATEGIES:
        raise errors.InvalidParameter("There are too many placement constraints or strategies.")
    for each in constraints:
        is_query, expression = each.get("type") == "memberOf", each.get("expression")
        if not is_query and expression:
            raise errors.InvalidParameter("An expression cannot be specified for the constraint distinctInstance.")
        if is_query:
            query_language.parse(expression or "")
    for each in strategies:
        kind, field = each.get("type"), each.get("field")
        if kind == "random" and field:
            raise errors.InvalidParameter("A field cannot be specified for the placement strategy random.")
        if kind == "binpack" and (field or "").lower() not in _PACKED:
            raise errors.InvalidParameter("The field of the placement strategy binpack must be cpu or memory.")


async def find_problem(
    tx: Transaction, instance: Instance, definition: Definition, constraints: Constraints, group: str
) -> Problem | None:
    """Return why a task cannot be on a container instance; None where it can."""
    problem = await find_missing_resource(tx, instance, definition)
    all_constraints = [*constraints, *definition.shape.get("placementConstraints", ())]
    if problem is not None or not all_constraints:
        return problem
    live = [
        task
        for task in await tasks.list_tasks(tx, *instance.cluster.key)
        if task.container_instance == instance.arn and task.desired_status == RUNNING
    ]
    facts = await load_facts(tx, instance, live)
    for each in all_constraints:
        if each.get("type") == "distinctInstance" and group in facts.groups:
            return _DISTINCT
        if each.get("type") == "memberOf" and not query_language.parse(each.get("expression") or "")(facts):
            return _MEMBER
    return None


async def find_missing_resource(tx: Transaction, instance: Instance, definition: Definition) -> Problem | None:
    """Return why a container instance has not what a task needs; None where it has."""
    cpu, memory = definition.reserved
    if memory > instance.memory:
        return _MEMORY
    if cpu > instance.cpu:
        return _CPU
    return PORTS if await list_port_holders(tx, instance.cluster, definition) else None


async def list_port_holders(tx: Transaction, cluster: Cluster, definition: Definition) -> list[Task]:
    """Return the tasks of a cluster that have ports which another one needs."""
    if not definition.host_ports:
        return []
    live = [task for task in await tasks.list_tasks(tx, *cluster.key) if task.container_instance]
    holding = set()
    for arn in {task.definition_arn for task in live}:
        known = await definitions.find(tx, cluster.account, cluster.region, arn)
        if known is not None and known.host_ports & definition.host_ports:
            holding.add(arn)
    return [task for task in live if task.definition_arn in holding]


async def load_facts(tx: Transaction, instance: Instance, live: list[Task]) -> Facts:
    """Return what is known of a container instance, where some tasks run."""
    attributes = {**instances.list_own_attributes(instance.cluster), **await instances.load_attributes(tx, instance)}
    values = {
        "agentConnected": "true",
        "ec2InstanceId": instance.ec2_id,
        "registeredAt": iso8601.millisecond(int(instance.registered * 1000)),
        "runningTasksCount": str(sum(task.last_status == RUNNING for task in live)),
    }
    return Facts(attributes, values, frozenset(task.group for task in live))
