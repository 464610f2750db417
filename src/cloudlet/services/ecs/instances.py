"""Container instances: this machine is one of each cluster.

Tasks of the launch types EC2 and EXTERNAL run on it. It is there as long as the cluster is.
"""

from __future__ import annotations

import os
import platform
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.machine_instance import make_instance_id
from cloudlet.services.ecs import arns, errors
from cloudlet.services.ecs.cluster_record import Cluster

_CPU_OF_CORE = 1024
_ATTRIBUTES = Subspace("attribute")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, str]).decode


class Instance(NamedTuple):
    """A container instance."""

    cluster: Cluster
    id: str

    @property
    def ec2_id(self) -> str:
        """The id of the EC2 instance: the machine is the same one for all clusters."""
        return make_instance_id(self.cluster.account, self.cluster.region)

    @property
    def arn(self) -> str:
        return arns.make_arn(
            self.cluster.region, self.cluster.account, "container-instance", self.cluster.name, self.id
        )


def get_instance(cluster: Cluster) -> Instance:
    """Return the container instance of a cluster."""
    return Instance(cluster, sha256(f"{cluster.arn} {cluster.created}".encode()).hexdigest()[:32])


def find(cluster: Cluster, reference: str) -> Instance | None:
    """Return the container instance of a cluster by its id or ARN."""
    instance = get_instance(cluster)
    return instance if reference in (instance.id, instance.arn) else None


def get(cluster: Cluster, reference: str) -> Instance:
    """Return the container instance of a cluster by its id or ARN. Raises InvalidParameterException."""
    found = find(cluster, reference)
    if found is None:
        raise errors.InvalidParameter("The specified container instance was not found.")
    return found


def measure_cpu() -> int:
    """Return the machine's CPU units."""
    return len(os.sched_getaffinity(0)) * _CPU_OF_CORE


def measure_memory() -> int:
    """Return the machine's memory in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def make_resources(cpu: int, memory: int) -> list[dict[str, Any]]:
    """Return resources as answers have them."""
    return [
        {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
    ]


def list_own_attributes(cluster: Cluster) -> dict[str, str]:
    """Return the attributes that the machine has by itself, as the instance of a cluster."""
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


def forget(tx: Transaction, cluster: Cluster) -> None:
    """Forget what users have given to the instance of a cluster that is deleted."""
    instance = get_instance(cluster)
    tx.delete(_ATTRIBUTES.key(instance.arn))
    tags.save(tx, instance.arn, {})
