"""Task definitions as they are stored: what tasks are run by."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecs.arns import make_arn

ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"


class TaskDefinition(msgspec.Struct, frozen=True):
    """A revision of a family; it never changes but for its status.

    Containers and volumes have the members of the API, with AWS's defaults filled in: `essential`, `environment`,
    `mountPoints`, `volumesFrom`, `portMappings` (with `hostPort` and `protocol`), `systemControls` and `cpu` are there.
    """

    account: str
    region: str
    family: str
    revision: int
    containers: list[dict[str, Any]]
    volumes: list[dict[str, Any]]
    network_mode: str
    """awsvpc, bridge, host or none. Never empty: where none was given, it is bridge."""
    compatibilities: list[str]
    """What it can run on, by what it says: EC2, FARGATE, EXTERNAL."""
    registered_at: float
    registered_by: str
    status: str = ACTIVE
    requires_compatibilities: list[str] = []
    cpu: str = ""
    """CPU units of a task, as digits ("256" is a quarter of a core); empty where it was not given."""
    memory: str = ""
    """MiB of a task, as digits; empty where it was not given."""
    task_role_arn: str = ""
    execution_role_arn: str = ""
    placement_constraints: list[dict[str, Any]] = []
    required_attributes: list[str] = []
    pid_mode: str = ""
    ipc_mode: str = ""
    ephemeral_storage_gib: int = 0
    """0: not given (Fargate: 20)."""
    runtime_platform: dict[str, str] = {}
    """`cpuArchitecture` and `operatingSystemFamily`, those that were given."""
    deregistered_at: float | None = None
    delete_requested_at: float | None = None
    is_network_mode_given: bool = True
    has_fault_injection: bool | None = None

    @property
    def name(self) -> str:
        """The family and the revision, as in "web:3"."""
        return f"{self.family}:{self.revision}"

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "task-definition", self.name)
