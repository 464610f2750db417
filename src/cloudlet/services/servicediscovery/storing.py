"""The records of Cloud Map in the store, and the names that lead to them."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import token
from cloudlet.services.servicediscovery import errors
from cloudlet.services.servicediscovery.map_record import DiscoveryService, Instance, MapOperation, Namespace
from cloudlet.services.servicediscovery.states import FAIL, SUCCESS, VISIBLE, check_status

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
NAMESPACES: Final = Records(Subspace("namespace"), Namespace, errors.NamespaceNotFound)
SERVICES: Final = Records(Subspace("service"), DiscoveryService, errors.ServiceNotFound)
OPERATIONS: Final = Records(Subspace("operation"), MapOperation, errors.OperationNotFound)
INSTANCES: Final = Subspace("instance")
"""By account, region, service and id."""
NAMESPACE_NAMES: Final = Subspace("namespace-name")
"""The ids of namespaces by account, region and HTTP name."""
SERVICE_NAMES: Final = Subspace("service-name")
"""The ids of services by account, region, namespace and name."""
REQUESTS: Final = Subspace("request")
"""The operations of requests, by account, region, kind and CreatorRequestId."""
KEPT_SECONDS: Final = 90 * 86_400
"""The time for which an operation is known after its end (GetOperation)."""
_ERROR_CODES: Final = {
    "AccessDenied": "ACCESS_DENIED",
    "ConflictingDomainExists": "CANNOT_CREATE_HOSTED_ZONE",
    "CannotCreateHostedZone": "CANNOT_CREATE_HOSTED_ZONE",
    "InvalidChangeBatch": "INVALID_CHANGE_BATCH",
    "InvalidDomainName": "CANNOT_CREATE_HOSTED_ZONE",
    "InvalidVPCId": "CANNOT_CREATE_HOSTED_ZONE",
    "NoSuchHostedZone": "HOSTED_ZONE_NOT_FOUND",
    "Throttling": "THROTTLED_REQUEST",
    "TooManyHostedZones": "CANNOT_CREATE_HOSTED_ZONE",
}
"""The codes that operations show, by those of Route 53's errors (Operation)."""
_EXPIRING: Final = Subspace("expiring-operation")
_EXPIRY_TOPIC: Final = b"expiring-operations"
_COUNTS: Final = Subspace("instance-count")
_REVISIONS: Final = Subspace("revision")
_encode = msgspec.msgpack.Encoder().encode
decode_instance = msgspec.msgpack.Decoder(Instance).decode


def make_id(prefix: str) -> str:
    """Return the id of something new."""
    return f"{prefix}-{token(16, _ALPHABET)}"


def to_id(given: str) -> str:
    """Return the id of what is told by that or by an ARN."""
    return given.rpartition("/")[2] if given.startswith("arn:") else given


async def get_namespace(ctx: Context, tx: Transaction, given: str) -> Namespace:
    """Return a namespace that is there. Raises NamespaceNotFound."""
    found = await NAMESPACES.get(tx, ctx.account, ctx.region, to_id(given))
    if found.state not in VISIBLE:
        raise errors.NamespaceNotFound(to_id(given))
    return found


async def get_service(ctx: Context, tx: Transaction, given: str) -> DiscoveryService:
    """Return a service. Raises ServiceNotFound."""
    return await SERVICES.get(tx, ctx.account, ctx.region, to_id(given))


async def find_instance(tx: Transaction, account: str, region: str, service: str, name: str) -> Instance | None:
    """Return an instance, also one that is being registered; None where there is none."""
    raw = await tx.get(INSTANCES.key(account, region, service, name))
    return None if raw is None else decode_instance(raw)


async def get_instance(tx: Transaction, found: DiscoveryService, name: str) -> Instance:
    """Return an instance that is there. Raises InstanceNotFound."""
    instance = await find_instance(tx, found.account, found.region, found.name, name)
    if instance is None or instance.state not in VISIBLE:
        raise errors.InstanceNotFound(name)
    return instance


def save_instance(tx: Transaction, instance: Instance) -> None:
    """Write an instance."""
    tx.put(INSTANCES.key(instance.account, instance.region, instance.service, instance.id), _encode(instance))


def remove_instance(tx: Transaction, instance: Instance) -> None:
    """Delete an instance."""
    tx.delete(INSTANCES.key(instance.account, instance.region, instance.service, instance.id))


async def count_instances(tx: Transaction, service: str) -> int:
    """Return how many instances a service has."""
    return await tx.counter(_COUNTS.key(service))


async def get_revision(tx: Transaction, service: str) -> int:
    """Return the number that each change of a service's instances raises."""
    return 1 + await tx.counter(_REVISIONS.key(service))


def record_change(tx: Transaction, service: str, difference: int = 0) -> None:
    """Note that the instances of a service have changed, by so many."""
    tx.add(_REVISIONS.key(service), 1)
    if difference:
        tx.add(_COUNTS.key(service), difference)


def begin_operation(ctx: Context, tx: Transaction, kind: str, namespace: str, service: str = "", **targets: str) -> str:
    """Write down an operation that was submitted; return its id."""
    name = f"{token(32, _ALPHABET)}-{token(8, _ALPHABET)}"
    now = ctx.now()
    made = MapOperation(ctx.account, ctx.region, name, kind, targets, now, now, service=service, namespace=namespace)
    OPERATIONS.save(tx, made)
    return name


async def finish_operation(
    tx: Transaction, account: str, region: str, name: str, status: str, now: float, error: AwsError | None = None
) -> None:
    """Give an operation its next status, unless it is gone or has that."""
    found = await OPERATIONS.find(tx, account, region, name)
    if found is None or found.status == status:
        return
    told = ("", "") if error is None else (_ERROR_CODES.get(error.code, "INTERNAL_FAILURE"), error.message)
    changed = replace(found, updated=now, error_code=told[0], error_message=told[1])
    OPERATIONS.save(tx, replace(changed, status=check_status(found.status, status)))
    if status in (SUCCESS, FAIL):
        tx.put(_EXPIRING.key(int((now + KEPT_SECONDS) * 1000), account, region, name), b"")
        tx.notify(_EXPIRY_TOPIC)


async def expire(block: Block) -> None:
    """Forget operations after a while, for ever."""
    await run_timers(block, _EXPIRY_TOPIC, _EXPIRING, "forgetting an operation", _expire)


async def _expire(tx: Transaction, row: Row, now: float) -> None:
    _, account, region, name = row
    found = await OPERATIONS.find(tx, account, region, name)
    if found is not None:
        OPERATIONS.remove(tx, found)
