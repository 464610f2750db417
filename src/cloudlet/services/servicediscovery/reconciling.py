"""The reconcilers: they do what operations were submitted for, and say how those have ended."""

from __future__ import annotations

from functools import partial
from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.servicediscovery import publishing, storing
from cloudlet.services.servicediscovery.map_record import DiscoveryService, Instance, Namespace
from cloudlet.services.servicediscovery.states import (
    ACTIVE,
    CREATING,
    DELETING,
    FAIL,
    PENDING,
    SUCCESS,
    check_state,
)
from cloudlet.services.servicediscovery.storing import NAMESPACES, SERVICES

_READ: Final = 100
_RETRIED: Final = frozenset(("PriorRequestNotComplete", "Throttling", "ServiceUnavailable", "InternalFailure"))
"""The errors after which a step is tried again."""


async def _reconcile_namespace(block: Block, key: Key) -> float | None:
    found = await block.store.transact(partial(_begin_namespace, block, key))
    if found is None:
        return None
    zone, failure = found.zone, None
    try:
        if found.state == DELETING:
            if found.zone:
                await publishing.delete_zone(block, found)
        elif found.type != "HTTP":
            if found.zone:
                await publishing.set_negative_ttl(block, found, found.zone)
            else:
                zone = await publishing.make_zone(block, found)
    except AwsError as error:
        if error.code in _RETRIED:
            raise
        failure = error
    await block.store.transact(partial(_end_namespace, block, found, zone, failure))
    return None


async def _begin_namespace(block: Block, key: Key, tx: Transaction) -> Namespace | None:
    account, region, name = key
    found = await NAMESPACES.find(tx, account, region, name)
    if found is None or not found.operation:
        return None
    await storing.finish_operation(tx, account, region, found.operation, PENDING, block.clock.now())
    return found


async def _end_namespace(block: Block, before: Namespace, zone: str, failure: AwsError | None, tx: Transaction) -> None:
    found = await NAMESPACES.find(tx, before.account, before.region, before.name)
    if found is None or found.operation != before.operation:
        return
    if found.state == (DELETING if failure is None else CREATING):
        _forget_namespace(tx, found)
        if found.state == CREATING:
            # The same request may succeed later.
            tx.delete(storing.REQUESTS.key(found.account, found.region, "namespace", found.creator))
    else:
        NAMESPACES.save(tx, replace(found, zone=zone, operation="", state=check_state(found.state, ACTIVE)))
    status = SUCCESS if failure is None else FAIL
    await storing.finish_operation(tx, found.account, found.region, found.operation, status, block.clock.now(), failure)


def _forget_namespace(tx: Transaction, found: Namespace) -> None:
    """Delete a namespace and what it is found by."""
    tags.save(tx, found.arn, {})
    tx.delete(storing.NAMESPACE_NAMES.key(found.account, found.region, found.http_name))
    NAMESPACES.remove(tx, found)


async def _reconcile_instance(block: Block, key: Key) -> float | None:
    begun = await block.store.transact(partial(_begin_instance, block, key))
    if begun is None:
        return None
    namespace, found, instance = begun
    failure = None
    published = instance
    try:
        check = "" if instance.state == DELETING else instance.health_check
        if instance.state != DELETING and found.health_check is not None:
            check = await publishing.make_health_check(block, namespace, found, instance)
        elif found.health_check is None:
            check = ""
        published = replace(instance, health_check=check)
        await publishing.publish(block, namespace, found, published)
        if instance.health_check and instance.health_check != check:
            await publishing.delete_health_check(block, namespace, instance.health_check)
    except AwsError as error:
        if error.code in _RETRIED:
            raise
        failure = error
    await block.store.transact(partial(_end_instance, block, instance, published, failure))
    return None


async def _begin_instance(
    block: Block, key: Key, tx: Transaction
) -> tuple[Namespace, DiscoveryService, Instance] | None:
    account, region, service, name = key
    found = await SERVICES.find(tx, account, region, service)
    instance = await storing.find_instance(tx, account, region, service, name)
    if found is None or instance is None:
        return None
    namespace = await NAMESPACES.get(tx, account, region, found.namespace)
    if instance.operation:
        await storing.finish_operation(tx, account, region, instance.operation, PENDING, block.clock.now())
    return namespace, found, instance


async def _end_instance(
    block: Block, before: Instance, published: Instance, failure: AwsError | None, tx: Transaction
) -> None:
    found = await storing.find_instance(tx, before.account, before.region, before.service, before.id)
    if found is None or (found.operation, found.state) != (before.operation, before.state):
        return
    if found.state == (DELETING if failure is None else CREATING):
        storing.remove_instance(tx, found)
        storing.record_change(tx, found.service, -1)
    else:
        state = found.state if found.state == ACTIVE else check_state(found.state, ACTIVE)
        storing.save_instance(tx, replace(found, health_check=published.health_check, operation="", state=state))
        storing.record_change(tx, found.service)
    if found.operation:
        status = SUCCESS if failure is None else FAIL
        await storing.finish_operation(
            tx, found.account, found.region, found.operation, status, block.clock.now(), failure
        )


async def _reconcile_service(block: Block, key: Key) -> float | None:
    """Publish all instances of a service that was updated again."""
    account, region, name = key
    found = await block.store.transact(partial(_begin_service, block, key))
    if found is None:
        return None
    space = storing.INSTANCES.sub(account, region, name)
    begin = space.begin
    while rows := await block.store.transact(lambda tx: tx.range(begin, space.end, limit=_READ)):  # noqa: B023
        for _, raw in rows:
            instance = storing.decode_instance(raw)
            # An earlier version of the service may be what was published.
            await _reconcile_instance(block, (account, region, name, instance.id))
        begin = rows[-1][0] + b"\x00"
    await block.store.transact(partial(_end_service, block, found))
    return None


async def _begin_service(block: Block, key: Key, tx: Transaction) -> DiscoveryService | None:
    account, region, name = key
    found = await SERVICES.find(tx, account, region, name)
    if found is None or not found.operation:
        return None
    await storing.finish_operation(tx, account, region, found.operation, PENDING, block.clock.now())
    return found


async def _end_service(block: Block, before: DiscoveryService, tx: Transaction) -> None:
    found = await SERVICES.find(tx, before.account, before.region, before.name)
    if found is None or found.operation != before.operation:
        return
    SERVICES.save(tx, replace(found, operation=""))
    await storing.finish_operation(tx, found.account, found.region, before.operation, SUCCESS, block.clock.now())


NAMESPACE_RECONCILER: Final = Reconciler("reconcile-namespace", _reconcile_namespace)
INSTANCE_RECONCILER: Final = Reconciler("reconcile-instance", _reconcile_instance, max_concurrency=32)
SERVICE_RECONCILER: Final = Reconciler("reconcile-service", _reconcile_service)
