"""Services as they are stored, with their deployments and task sets."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.services.ecs.arns import make_arn
from cloudlet.services.ecs.capacity import Choice
from cloudlet.services.ecs.connect_record import Connect

ACTIVE: Final = "ACTIVE"
DRAINING: Final = "DRAINING"
INACTIVE: Final = "INACTIVE"
PRIMARY: Final = "PRIMARY"

IN_PROGRESS: Final = "IN_PROGRESS"
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"


class Revision(msgspec.Struct, frozen=True):
    """A service revision: what the tasks of a deployment are like. It never changes."""

    id: str
    created: float
    members: dict[str, Any]
    """`taskDefinition` (an ARN) and the members of the model's ServiceRevision that were given."""
    groups: list[str] = []
    """The ARN of the target group of its tasks, for each load balancer."""
    connect: Connect | None = None
    managed: list[dict[str, Any]] = []
    """The load balancers of gateways, which are not among its members."""

    @property
    def balancers(self) -> list[dict[str, Any]]:
        """The load balancers."""
        return [*(self.members.get("loadBalancers") or ()), *self.managed]

    @property
    def shifts_traffic(self) -> bool:
        """Whether traffic can be shifted to and from its tasks."""
        is_connected = self.connect is not None and bool(self.connect.ports)
        return is_connected or any(each.get("advancedConfiguration") for each in self.balancers)

    @property
    def choice(self) -> Choice:
        return Choice(self.members.get("launchType") or "", self.members.get("capacityProviderStrategy") or [])


class Deployment(msgspec.Struct, frozen=True):
    """A deployment of a revision: the tasks that were started by it have its id."""

    id: str
    revision: Revision
    created: float
    updated: float
    status: str = PRIMARY
    desired: int = 0
    rollout: str = IN_PROGRESS
    reason: str = ""
    failed_tasks: int = 0
    failed_at: float = 0.0
    """The time at which a task of it failed last."""
    operation: str = ""
    """The id of the service deployment that it belongs to."""
    was_completed: bool = False
    """Whether it once was complete: others may be rolled back to it."""


class TaskSet(msgspec.Struct, frozen=True):
    """A task set, of a service with an external deployment controller."""

    id: str
    revision: Revision
    created: float
    updated: float
    status: str = ACTIVE
    scale: float = 0.0
    external_id: str = ""
    token: str = ""
    is_steady: bool = False
    steady_at: float = 0.0
    failed_tasks: int = 0
    failed_at: float = 0.0


class Service(msgspec.Struct, frozen=True):
    """A service."""

    account: str
    region: str
    cluster: str
    """The name of its cluster."""
    name: str
    created: float
    created_by: str
    desired: int
    scheduling: str
    """REPLICA or DAEMON."""
    controller: str
    """ECS or EXTERNAL."""
    options: dict[str, Any]
    """Members of the API that deployments do not depend on: `deploymentConfiguration`, `propagateTags` and such."""
    deployments: list[Deployment] = []
    """The primary one first, then the others that have tasks yet."""
    task_sets: list[TaskSet] = []
    status: str = ACTIVE
    token: str = ""
    is_steady: bool = False
    last_completed: Revision | None = None
    stuck: str = ""
    """The message that told why no task could be started or stopped."""
    steady_at: float = 0.0
    """The time at which it was told last that the service is steady."""

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "service", self.cluster, self.name)

    @property
    def cluster_arn(self) -> str:
        return make_arn(self.region, self.account, "cluster", self.cluster)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.account, self.region, self.cluster, self.name

    @property
    def primary(self) -> Deployment | None:
        return self.deployments[0] if self.deployments else None

    @property
    def primary_set(self) -> TaskSet | None:
        return next((each for each in self.task_sets if each.status == PRIMARY), None)

    @property
    def revision(self) -> Revision | None:
        """The revision that is to run: the primary one's."""
        primary = self.primary or self.primary_set
        return None if primary is None else primary.revision

    @property
    def configuration(self) -> dict[str, Any]:
        """The deployment configuration."""
        configuration: dict[str, Any] = self.options.get("deploymentConfiguration") or {}
        return configuration

    @property
    def starters(self) -> list[Deployment | TaskSet]:
        """The deployments or task sets, which start tasks."""
        return [*self.deployments, *self.task_sets]

    def make_arn(self, kind: str, name: str) -> str:
        """Return the ARN of something that belongs to it."""
        return make_arn(self.region, self.account, kind, self.cluster, self.name, name)

    def change_primary(self, **changes: Any) -> Service:
        """Return it with another primary deployment."""
        first, *others = self.deployments
        return replace(self, deployments=[replace(first, **changes), *others])


class StoppedTask(msgspec.Struct, frozen=True):
    """A task of a service that has stopped, until the service's scheduler has seen it."""

    id: str
    started_by: str
    code: str
    reason: str
