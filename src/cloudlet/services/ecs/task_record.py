"""Tasks as they are stored."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.services.ecs.arns import make_arn
from cloudlet.services.ecs.capacity import MANAGED
from cloudlet.services.ecs.connect_record import TaskConnect
from cloudlet.services.ecs.definition_record import OF_DAEMONS, OF_TASKS
from cloudlet.services.ecs.target_states import WAITING
from cloudlet.services.ecs.task_states import PENDING, PROVISIONING, RUNNING, STOPPED


class TaskContainer(msgspec.Struct, frozen=True):
    """A container of a task."""

    name: str
    image: str
    is_essential: bool = True
    status: str = PENDING
    image_digest: str = ""
    """Of the manifest that it runs from."""
    attempt: int = 0
    """The count of starts after the first."""
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    health: str = "UNKNOWN"
    bindings: list[dict[str, Any]] = []
    address: str = ""
    """In the network of the container instance (bridge)."""
    cpu: str = ""
    memory: str = ""
    memory_reservation: str = ""

    @property
    def has_ended(self) -> bool:
        return self.status == STOPPED


PROXY: Final = TaskContainer("ecs-service-connect", "", started_at=0.0)
"""The proxy of Service Connect, which is none of the containers that a definition names."""


class TaskTarget(msgspec.Struct, frozen=True):
    """A port of a task that is a target of a load balancer."""

    group: str
    """The ARN of the target group."""
    container: str
    container_port: int
    state: str = WAITING
    id: str = ""
    """The address that is registered."""
    port: int = 0

    @property
    def key(self) -> tuple[str, str, int]:
        """The place among all targets."""
        return self.group, self.id, self.port


class Task(msgspec.Struct, frozen=True):
    """A task. One that has stopped stays for an hour."""

    account: str
    region: str
    cluster: str
    """The name of its cluster."""
    id: str
    family: str
    revision: int
    created_at: float
    containers: list[TaskContainer]
    network_mode: str
    launch_type: str = ""
    capacity_provider: str = ""
    platform_version: str = ""
    container_instance: str = ""
    """The ARN of the container instance that it is on, unless it is on Fargate."""
    availability_zone: str = ""
    group: str = ""
    service: str = ""
    """The name of the service that it is of."""
    started_by: str = ""
    cpu: str = ""
    memory: str = ""
    task_role: str = ""
    execution_role: str = ""
    architecture: str = "X86_64"
    overrides: dict[str, Any] = {}
    network: dict[str, Any] = {}
    """The `awsvpcConfiguration`."""
    has_managed_tags: bool = False
    is_command_enabled: bool = False
    ephemeral_storage_gib: int = 0
    last_status: str = PROVISIONING
    desired_status: str = RUNNING
    stop_code: str = ""
    stopped_reason: str = ""
    version: int = 1
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    connected_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    protected_until: float | None = None
    interface: dict[str, str] = {}
    """The network interface (awsvpc): `attachment`, `id`, `network`, `subnet`, `address`, `mac`, `dns`, `prefix`."""
    credentials_id: str = ""
    """The part of the path by which its containers get credentials, and nobody else."""
    endpoint_id: str = ""
    """The part of the path of their metadata, which nobody else knows."""
    targets: list[TaskTarget] = []
    connect: TaskConnect | None = None
    daemon: str = ""
    """The name of the daemon that it is of."""

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "task", self.cluster, self.id)

    @property
    def cluster_arn(self) -> str:
        return make_arn(self.region, self.account, "cluster", self.cluster)

    @property
    def definition_arn(self) -> str:
        return make_arn(self.region, self.account, self.definition_kind, f"{self.family}:{self.revision}")

    @property
    def definition_kind(self) -> str:
        return OF_DAEMONS if self.daemon else OF_TASKS

    @property
    def task_definition_arn(self) -> str:
        return self.definition_arn

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The place among all tasks."""
        return self.account, self.region, self.cluster, self.id

    @property
    def is_on_fargate(self) -> bool:
        return not self.container_instance

    @property
    def kind(self) -> str:
        """The launch type, also where a capacity provider has chosen it."""
        if self.launch_type or self.is_on_fargate:
            return self.launch_type or "FARGATE"
        return MANAGED if self.capacity_provider else "EC2"

    @property
    def reserved(self) -> tuple[int, int]:
        """The CPU units and MiB that it reserves."""
        sizes = [(int(each.cpu or 0), int(each.memory_reservation or each.memory or 0)) for each in self.containers]
        return int(self.cpu or sum(cpu for cpu, _ in sizes)), int(self.memory or sum(memory for _, memory in sizes))

    @property
    def has_stopped(self) -> bool:
        return self.last_status == STOPPED

    @property
    def private_ip(self) -> str:
        return self.interface.get("address", "")

    @property
    def logging(self) -> list[TaskContainer]:
        """The containers whose output may be sent somewhere."""
        return [*self.containers, PROXY] if self.connect is not None and self.connect.log else self.containers

    @property
    def health_status(self) -> str:
        """The health of its essential containers together."""
        found = {container.health for container in self.containers if container.is_essential}
        if "UNHEALTHY" in found:
            return "UNHEALTHY"
        return "HEALTHY" if found == {"HEALTHY"} else "UNKNOWN"

    def find_container(self, name: str) -> TaskContainer | None:
        """Return a container by its name."""
        return next((each for each in self.containers if each.name == name), None)
