"""Container instances: this machine is one of each cluster.

It is one of each capacity provider of one's own, too. Tasks of the launch types EC2 and EXTERNAL run on the cluster's,
which is there as long as the cluster is.
"""

from __future__ import annotations

import platform
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.machine_instance import make_instance_id
from cloudlet.services.ecs import arns, errors, instance_events, managed_instances
from cloudlet.services.ecs.capacity_provider_record import ManagedInstance
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.machine import measure_cpu, measure_memory
from cloudlet.services.ecs.managed_states import ACTIVE, DRAINING, REGISTERING

_ATTRIBUTES = Subspace("attribute")
_DRAINING = Subspace("instance-draining")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, str]).decode


class Instance(NamedTuple):
    """A container instance."""

    cluster: Cluster
    id: str
    status: str
    registered: float
    cpu: int
    memory: int
    managed: ManagedInstance | None = None
    """The record, where it is of a capacity provider."""

    @property
    def provider(self) -> str:
        """The name of its capacity provider; empty for the cluster's own instance."""
        return "" if self.managed is None else self.managed.provider

    @property
    def ec2_id(self) -> str:
        """The id of the EC2 instance: the machine is the same one for all clusters."""
        return make_instance_id(self.cluster.account, self.cluster.region)

    @property
    def arn(self) -> str:
        return arns.make_arn(
            self.cluster.region, self.cluster.account, "container-instance", self.cluster.name, self.id
        )


def _make_own(cluster: Cluster, status: str) -> Instance:
    own = sha256(f"{cluster.arn} {cluster.created}".encode()).hexdigest()[:32]
    return Instance(cluster, own, status, cluster.created, measure_cpu(), measure_memory())


def _make_managed(cluster: Cluster, managed: ManagedInstance) -> Instance:
    return Instance(cluster, managed.id, managed.status, managed.created, managed.cpu, managed.memory, managed)


async def get_own(tx: Transaction, cluster: Cluster) -> Instance:
    """Return the container instance that a cluster has by itself."""
    own = _make_own(cluster, ACTIVE)
    is_draining = await tx.get(_DRAINING.key(own.arn)) is not None
    return own._replace(status=DRAINING) if is_draining else own


async def list_instances(tx: Transaction, cluster: Cluster) -> list[Instance]:
    """Return the container instances of a cluster."""
    if not cluster.is_active:
        return []
    managed = await managed_instances.list_managed(tx, *cluster.key)
    return [await get_own(tx, cluster), *(_make_managed(cluster, each) for each in managed)]


async def find(tx: Transaction, cluster: Cluster, reference: str) -> Instance | None:
    """Return a container instance of a cluster by its id or ARN."""
    listed = await list_instances(tx, cluster)
    return next((each for each in listed if reference in (each.id, each.arn)), None)


async def get(tx: Transaction, cluster: Cluster, reference: str) -> Instance:
    """Return a container instance of a cluster by its id or ARN. Raises InvalidParameterException."""
    found = await find(tx, cluster, reference)
    if found is None:
        raise errors.InvalidParameter("The specified container instance was not found.")
    return found


async def choose(tx: Transaction, cluster: Cluster, provider: str) -> Instance | None:
    """Return the instance that takes tasks now, of a capacity provider or the cluster.

    Tasks on one that is REGISTERING wait until its daemons run.
    """
    listed = [each for each in await list_instances(tx, cluster) if each.provider == provider]
    for status in (ACTIVE, REGISTERING):
        if (found := next((each for each in listed if each.status == status), None)) is not None:
            return found
    return None


def change_status(tx: Transaction, instance: Instance, status: str) -> Instance:
    """Write another status of an instance that users drain, or take back; return it."""
    if instance.managed is not None:
        managed_instances.change_status(tx, instance.managed, status)
        managed_instances.request(tx, *instance.cluster.key)
    elif status == DRAINING:
        tx.put(_DRAINING.key(instance.arn), b"")
    else:
        tx.delete(_DRAINING.key(instance.arn))
    instance_events.request(tx, *instance.cluster.key)
    return instance._replace(status=status)


def make_resources(cpu: int, memory: int) -> list[dict[str, Any]]:
    """Return resources as answers have them."""
    return [
        {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
    ]


def list_own_attributes(cluster: Cluster) -> dict[str, str]:
    """Return the attributes that the machine has by itself, as an instance of a cluster."""
    return {
        "ecs.availability-zone": f"{cluster.region}a",
        "ecs.os-type": "linux",
        "ecs.cpu-architecture": platform.machine().lower(),
        "ecs.os-family": "LINUX",
    }


async def load_attributes(tx: Transaction, instance: Instance) -> dict[str, str]:
    """Return the attributes that users have given to an instance."""
    raw = await tx.get(_ATTRIBUTES.key(instance.arn))
    return {} if raw is None else _decode(raw)


def save_attributes(tx: Transaction, instance: Instance, attributes: dict[str, str]) -> None:
    """Write the attributes that users have given to an instance."""
    tx.put(_ATTRIBUTES.key(instance.arn), _encode(attributes))
    instance_events.request(tx, *instance.cluster.key)


def forget(tx: Transaction, cluster: Cluster) -> None:
    """Forget what users have given to the instance of a cluster that is deleted."""
    forget_given(tx, _make_own(cluster, ACTIVE).arn)


def forget_given(tx: Transaction, arn: str) -> None:
    """Forget what users have given to an instance."""
    tx.delete(_ATTRIBUTES.key(arn))
    tx.delete(_DRAINING.key(arn))
    tags.save(tx, arn, {})
