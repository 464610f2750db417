"""Services of Service Connect in AWS Cloud Map: Amazon ECS creates and deletes them."""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.services.ecs import services, tasks
from cloudlet.services.ecs.connect_record import Connect
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.service_record import INACTIVE, Service
from cloudlet.services.ecs.task_record import Task
from cloudlet.services.ecs.task_states import RUNNING

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")
_SERVICES: Final = Subspace("connect-service")
"""The ARNs of services in Cloud Map, by service, namespace and discovery name."""
_MAX_ROWS: Final = 1000
_BLOCK: Final = "servicediscovery"
_Key = tuple[str, str, str, str]


async def _configure(block: Block, key: Key) -> float | None:
    # Imported late: proxies are run by what runs tasks.
    from cloudlet.services.ecs.running.connect_proxies import configure

    return await configure(block, key)


PROXIES: Final = Reconciler("connect-proxies", _configure)
"""The reconciler that tells the proxies of an account in a region where tasks are."""


def note_change(tx: Transaction, task: Task) -> None:
    """Have proxies told of a task that begins to run, or is to end."""
    if task.connect is not None and task.last_status == RUNNING:
        PROXIES.request(tx, task.account, task.region)


tasks.LISTENERS.append(note_change)


async def move_traffic(block: Block, key: _Key, operation: ServiceDeployment) -> None:
    """Have proxies lead as a deployment wants it."""
    # Imported late, too.
    from cloudlet.services.ecs.running.connect_proxies import wait_for_shift

    async def body(tx: Transaction) -> None:
        PROXIES.request(tx, *key[:2])

    await block.store.transact(body)
    await wait_for_shift(block, key, (operation.id, operation.test_percent, operation.production_percent))


async def load(tx: Transaction, key: _Key) -> dict[tuple[str, str], str]:
    """Return the ARNs of the services in Cloud Map, by namespace and discovery name."""
    space = _SERVICES.sub(*key)
    rows = await tx.range(space.begin, space.end, limit=_MAX_ROWS)
    return {(namespace, name): raw.decode() for row, raw in rows for namespace, name in [space.unpack(row)]}


def list_connects(service: Service) -> dict[str, Connect]:
    """Return the part in a namespace of each deployment that has one."""
    return {each.id: each.revision.connect for each in service.starters if each.revision.connect is not None}


async def provide(block: Block, key: _Key) -> None:
    """Create the services that are missing. Raises AwsError."""
    service, known = await block.store.transact(lambda tx: _read(tx, key))
    if service is None or service.status == INACTIVE:
        return
    wanted = {
        (connect.namespace_id, port.discovery_name)
        for connect in list_connects(service).values()
        for port in connect.ports
    }
    for place in sorted(wanted - known.keys()):
        arn = await _create(block, service, *place)
        await block.store.transact(partial(_put, row=_SERVICES.key(*key, *place), arn=arn))


async def remove(block: Block, key: _Key) -> None:
    """Delete the services of one that is gone, which have no instances any more. Raises AwsError."""
    service, known = await block.store.transact(lambda tx: _read(tx, key))
    if service is not None and service.status == INACTIVE:
        for place, arn in known.items():
            await _delete(block, service, place, arn)


async def _read(tx: Transaction, key: _Key) -> tuple[Service | None, dict[tuple[str, str], str]]:
    return await services.find(tx, *key), await load(tx, key)


async def _put(tx: Transaction, row: bytes, arn: str) -> None:
    tx.put(row, arn.encode())


async def _create(block: Block, service: Service, namespace: str, name: str) -> str:
    """Create a service in Cloud Map, or find the known one; return its ARN."""
    creator = hashlib.sha256(f"{service.arn} {service.created} {name}".encode()).hexdigest()
    params: dict[str, Any] = {
        "Name": name,
        "NamespaceId": namespace,
        "Type": "HTTP",
        "CreatorRequestId": creator,
        "Tags": [{"Key": "AmazonECSManaged", "Value": "true"}],
    }
    try:
        made = await block.call(_BLOCK, "CreateService", params, account=service.account, region=service.region) or {}
    except AwsError as error:
        if error.code != "ServiceAlreadyExists":
            raise
        return str(error.fields["ServiceArn"])
    return str(made["Service"]["Arn"])


async def _delete(block: Block, service: Service, place: tuple[str, str], arn: str) -> None:
    params = {"Id": arn.rpartition("/")[2]}
    try:
        await block.call(_BLOCK, "DeleteService", params, account=service.account, region=service.region)
    except AwsError as error:
        if error.code != "ServiceNotFound":
            raise

    async def forget(tx: Transaction) -> None:
        tx.delete(_SERVICES.key(*service.key, *place))

    await block.store.transact(forget)
