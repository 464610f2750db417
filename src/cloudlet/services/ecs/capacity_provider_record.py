"""Capacity providers as they are stored: those of Amazon ECS Managed Instances."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecs.arns import make_arn
from cloudlet.services.ecs.managed_states import ACTIVE


class CapacityProvider(msgspec.Struct, frozen=True):
    """A capacity provider. It is of one cluster."""

    account: str
    region: str
    name: str
    cluster: str
    """The name of its cluster."""
    created: float
    managed: dict[str, Any]
    """The `managedInstancesProvider`."""
    status: str = ACTIVE
    update_status: str = "CREATE_COMPLETE"

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "capacity-provider", self.name)

    @property
    def cluster_key(self) -> tuple[str, str, str]:
        return self.account, self.region, self.cluster


class ManagedInstance(msgspec.Struct, frozen=True):
    """A container instance of a capacity provider: this machine, with its daemons."""

    account: str
    region: str
    cluster: str
    id: str
    provider: str
    created: float
    status: str
    cpu: int
    """The CPU units that it registers."""
    memory: int
    daemons: dict[str, str] = {}
    """The revision that it is to have of each daemon, by the daemons' names."""
    tasks: dict[str, str] = {}
    """The id of the task that was started last for each daemon."""
    reason: str = ""
    """The reason for its status."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.account, self.region, self.cluster, self.id

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "container-instance", self.cluster, self.id)
