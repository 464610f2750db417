"""Capacity providers of one's own and their container instances: written and found."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.records import Records
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ecs import errors, instance_events, instance_requirements
from cloudlet.services.ecs.capacity_provider_record import CapacityProvider, ManagedInstance
from cloudlet.services.ecs.managed_states import ACTIVE

_INSTANCES: Final = Subspace("managed-instance")
_PATIENCE_SECONDS: Final = 1.0
_MAX_INSTANCES: Final = 10_000
_encode = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(ManagedInstance).decode
_providers = Records(
    Subspace("capacity-provider"),
    CapacityProvider,
    lambda name: errors.InvalidParameter(
        "The specified capacity provider was not found. Specify a valid name or ARN and try again."
    ),
)
find_provider, get_provider, get_provider_space = _providers.find, _providers.get, _providers.get_space
save_provider, decode_provider = _providers.save, _providers.decode


async def _settle(block: Block, key: Key) -> float | None:
    # Imported late: the scheduler of daemons looks after instances, and changes them by this module.
    from cloudlet.services.ecs.daemon_scheduler import settle

    return await settle(block, key)


INSTANCES: Final = Reconciler("managed-instances", _settle, patience_seconds=_PATIENCE_SECONDS)
"""Looks after the instances of a cluster's capacity providers, and the daemons on them."""


def request(tx: Transaction, account: str, region: str, cluster: str) -> None:
    """Have the managed instances of a cluster looked after once this is committed."""
    INSTANCES.request(tx, account, region, cluster)


async def list_managed(tx: Transaction, account: str, region: str, cluster: str) -> list[ManagedInstance]:
    """Return the instances of a cluster's capacity providers, the oldest first."""
    space = _INSTANCES.sub(account, region, cluster)
    rows = await tx.range(space.begin, space.end, limit=_MAX_INSTANCES)
    return sorted((_decode(raw) for _, raw in rows), key=lambda each: (each.created, each.id))


async def find(tx: Transaction, account: str, region: str, cluster: str, instance_id: str) -> ManagedInstance | None:
    """Return an instance of a capacity provider by its id, or None."""
    raw = await tx.get(_INSTANCES.key(account, region, cluster, instance_id))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, instance: ManagedInstance) -> None:
    """Write an instance."""
    tx.put(_INSTANCES.key(*instance.key), _encode(instance))
    instance_events.request(tx, *instance.key[:3])


def remove(tx: Transaction, instance: ManagedInstance) -> None:
    """Delete an instance that has no task any more."""
    tx.delete(_INSTANCES.key(*instance.key))
    instance_events.request(tx, *instance.key[:3])


async def provision(
    tx: Transaction, provider: CapacityProvider, now: float, status: str = ACTIVE, daemons: dict[str, str] | None = None
) -> ManagedInstance:
    """Write a new instance of a capacity provider, which is this machine."""
    cpu, memory = instance_requirements.measure(provider.managed)
    made = ManagedInstance(
        *provider.cluster_key, random_bytes(16).hex(), provider.name, now, status, cpu, memory, daemons or {}
    )
    save(tx, made)
    if provider.managed.get("propagateTags") == "CAPACITY_PROVIDER":
        tags.save(tx, made.arn, await tags.load(tx, provider.arn))
    return made


async def list_providers(
    tx: Transaction, account: str, region: str, cluster: str | None = None
) -> list[CapacityProvider]:
    """Return the capacity providers of an account in a region, or of one cluster."""
    space = get_provider_space(account, region)
    rows = await tx.range(space.begin, space.end, limit=_MAX_INSTANCES)
    found = [decode_provider(raw) for _, raw in rows]
    return [each for each in found if cluster in (None, each.cluster)]


async def has_providers(tx: Transaction, account: str, region: str, cluster: str) -> bool:
    """Whether a cluster has capacity providers that are not gone yet."""
    return bool(await list_providers(tx, account, region, cluster))


def remove_provider(tx: Transaction, provider: CapacityProvider) -> None:
    """Delete a capacity provider that has no instance any more."""
    _providers.remove(tx, provider)
    tags.save(tx, provider.arn, {})


def change_status(tx: Transaction, instance: ManagedInstance, status: str, reason: str = "") -> ManagedInstance:
    """Write an instance with another status; return it."""
    changed = replace(instance, status=status, reason=reason)
    save(tx, changed)
    return changed
