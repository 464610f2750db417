"""Daemons as they are stored. Their revisions and deployments are records of the kind that services have."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecs.arns import make_arn
from cloudlet.services.ecs.managed_states import ACTIVE
from cloudlet.services.ecs.service_record import Revision


class Daemon(msgspec.Struct, frozen=True):
    """A daemon: one task on each container instance of its capacity providers."""

    account: str
    region: str
    cluster: str
    """The name of its cluster."""
    name: str
    created: float
    updated: float
    configuration: dict[str, Any]
    """The `deploymentConfiguration`."""
    deployment: str
    """The id of the newest deployment."""
    target: Revision | None
    """The revision that instances are to have.

    There is none where the first deployment has failed, or the daemon is deleted.
    """
    last_completed: Revision | None = None
    status: str = ACTIVE
    token: str = ""
    failed_tasks: int = 0
    """The count of tasks that have failed, one after another."""
    failed_at: float = 0.0

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "daemon", self.cluster, self.name)

    @property
    def cluster_arn(self) -> str:
        return make_arn(self.region, self.account, "cluster", self.cluster)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.account, self.region, self.cluster, self.name

    @property
    def history_key(self) -> tuple[str, str, str, str]:
        """The place of its revisions and deployments among those of services.

        Names of services have no slash.
        """
        return self.account, self.region, self.cluster, f"daemon/{self.name}"

    def make_arn(self, kind: str, name: str) -> str:
        """Return the ARN of a deployment or revision."""
        return make_arn(self.region, self.account, kind, self.cluster, self.name, name)


def list_providers(revision: Revision | None) -> list[str]:
    """Return the names of the capacity providers of a revision of a daemon."""
    names: list[str] = revision.members["capacityProviders"] if revision is not None else []
    return names


def is_critical(revision: Revision) -> bool:
    """Whether instances are drained where the daemon does not run."""
    return revision.members["critical"] is not False
