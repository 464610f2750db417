"""Service discovery: tasks of a service are registered in AWS Cloud Map while they run.

Developer guide, "Use service discovery to connect Amazon ECS services with DNS names".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.services.ecs import connect_services, definitions, services, tasks
from cloudlet.services.ecs.service_record import Service
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")
_REGISTERED: Final = Subspace("registered-task")
"""The tasks that are registered, by service, task and registry."""
_RETRY_SECONDS: Final = 5.0
_Key = tuple[str, str, str, str]


async def settle(block: Block, key: _Key) -> float | None:
    """Register tasks that run, and deregister others; return after how many seconds to try again."""
    try:
        await connect_services.provide(block, key)
        pause = await _settle(block, key)
        await connect_services.remove(block, key)
    except AwsError as error:
        log.warning("the services of Service Connect of %s are not as they should be: %s", key, error)
        return _RETRY_SECONDS
    return pause


async def _settle(block: Block, key: _Key) -> float | None:
    wanted, known = await block.store.transact(lambda tx: _compare(tx, key))
    if wanted.keys() == known or not block.cloud.has("servicediscovery"):
        return None
    account, region, *_ = key
    has_failed = False
    for place in [*(known - wanted.keys()), *(wanted.keys() - known)]:
        task, registry = place
        params: dict[str, Any] = {"ServiceId": registry.rpartition("/")[2], "InstanceId": task}
        is_wanted = place in wanted
        operation = "RegisterInstance" if is_wanted else "DeregisterInstance"
        if is_wanted:
            params["Attributes"] = wanted[place]
        try:
            await block.call("servicediscovery", operation, params, account=account, region=region)
        except AwsError as error:
            # What is not there any more needs no deregistration.
            if is_wanted or "NotFound" not in error.code:
                log.warning("%s of task %s has failed: %s", operation, task, error)
                has_failed = True
                continue
        await _note(block, (*key, *place), is_wanted)
    return _RETRY_SECONDS if has_failed else None


async def _note(block: Block, place: tuple[str, ...], is_registered: bool) -> None:
    async def body(tx: Transaction) -> None:
        if is_registered:
            tx.put(_REGISTERED.key(*place), b"")
        else:
            tx.delete(_REGISTERED.key(*place))

    await block.store.transact(body)


async def _compare(tx: Transaction, key: _Key) -> tuple[dict[tuple[str, str], dict[str, str]], set[tuple[str, str]]]:
    """Return what is to be registered, with its attributes, and what is."""
    space = _REGISTERED.sub(*key)
    known = {tuple(space.unpack(row)) for row, _ in await tx.range(space.begin, space.end, limit=10_000)}
    service = await services.find(tx, *key)
    wanted: dict[tuple[str, str], dict[str, str]] = {}
    if service is not None:
        registries = await _list_registries(tx, service)
        for task in await tasks.list_service_tasks(tx, *key) if registries else ():
            if task.last_status != "RUNNING" or task.desired_status != "RUNNING":
                continue
            for registry in registries.get(task.started_by, ()):
                attributes = await _make_attributes(tx, service, task, registry)
                wanted[task.id, registry["registryArn"]] = attributes
    return wanted, known


async def _list_registries(tx: Transaction, service: Service) -> dict[str, list[dict[str, Any]]]:
    """Return the registries of each deployment and task set, also those of Service Connect."""
    registries = {each.id: [*(each.revision.members.get("serviceRegistries") or ())] for each in service.starters}
    arns = await connect_services.load(tx, service.key)
    for starter, connect in connect_services.list_connects(service).items():
        registries[starter] += [
            {"registryArn": arns[connect.namespace_id, port.discovery_name], "port": port.ingress_port}
            for port in connect.ports
            if (connect.namespace_id, port.discovery_name) in arns
        ]
    return {starter: listed for starter, listed in registries.items() if listed}


async def _make_attributes(
    tx: Transaction, service: Service, task: Task, registry: Mapping[str, Any]
) -> dict[str, str]:
    attributes = {
        "AVAILABILITY_ZONE": task.availability_zone,
        "AWS_INSTANCE_IPV4": task.private_ip,
        "AWS_INSTANCE_PORT": str(await _find_port(tx, task, registry) or ""),
        "ECS_CLUSTER_NAME": service.cluster,
        "ECS_SERVICE_NAME": service.name,
        "ECS_TASK_DEFINITION_FAMILY": task.family,
        "REGION": service.region,
    }
    external = next((each.external_id for each in service.task_sets if each.id == task.started_by), "")
    if external:
        attributes["ECS_TASK_SET_EXTERNAL_ID"] = external
    return {name: value for name, value in attributes.items() if value}


async def _find_port(tx: Transaction, task: Task, registry: Mapping[str, Any]) -> int | None:
    """Return the port by which others reach a task.

    It is one of the host, where the network is not the task's own.
    """
    port = registry.get("containerPort") or registry.get("port")
    container = task.find_container(registry.get("containerName") or "")
    if container is not None and task.network_mode == "bridge":
        for binding in container.bindings:
            if binding.get("containerPort") == port:
                return binding.get("hostPort")
    if port is None and registry.get("containerName"):
        found = await definitions.find(tx, task.account, task.region, task.definition_arn)
        for each in found.containers if found else ():
            if each["name"] == registry["containerName"] and each["portMappings"]:
                return int(each["portMappings"][0]["containerPort"])
    return port
