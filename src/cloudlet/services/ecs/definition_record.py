"""Task definitions as they are stored: what tasks are run by."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.services.ecs.arns import make_arn

ACTIVE: Final = "ACTIVE"
INACTIVE: Final = "INACTIVE"
DELETE_IN_PROGRESS: Final = "DELETE_IN_PROGRESS"
OF_TASKS: Final = "task-definition"
OF_DAEMONS: Final = "daemon-task-definition"


class Definition(msgspec.Struct, frozen=True):
    """A revision of a family. It never changes, but for its status."""

    account: str
    region: str
    family: str
    revision: int
    shape: dict[str, Any]
    """The members of the model's TaskDefinition, with AWS's defaults, but without its status."""
    status: str = ACTIVE
    deregistered_at: float | None = None
    delete_requested_at: float | None = None
    kind: str = OF_TASKS
    """The kind in its ARN."""

    @property
    def name(self) -> str:
        """The family and the revision, as in "web:3"."""
        return f"{self.family}:{self.revision}"

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, self.kind, self.name)

    @property
    def containers(self) -> list[dict[str, Any]]:
        definitions: list[dict[str, Any]] = self.shape["containerDefinitions"]
        return definitions

    @property
    def reserved(self) -> tuple[int, int]:
        """The CPU units and MiB that a task reserves."""
        sizes = [(each["cpu"], each.get("memoryReservation") or each.get("memory") or 0) for each in self.containers]
        cpu, memory = self.shape.get("cpu"), self.shape.get("memory")
        return int(cpu or sum(each for each, _ in sizes)), int(memory or sum(each for _, each in sizes))

    @property
    def network_mode(self) -> str:
        """The network mode: bridge where none was given."""
        return str(self.shape.get("networkMode") or "bridge")

    @property
    def checked(self) -> set[str]:
        """The names of essential containers that have health checks."""
        commands = {
            each["name"]: (each.get("healthCheck") or {}).get("command") or ["NONE"]
            for each in self.containers
            if each["essential"]
        }
        return {name for name, command in commands.items() if command[0] != "NONE"}

    @property
    def host_ports(self) -> set[tuple[int, str]]:
        """The ports of the container instance that a task reserves, with their protocols."""
        if self.network_mode not in ("bridge", "host"):
            return set()
        mappings = (mapping for each in self.containers for mapping in each["portMappings"])
        return {(each["hostPort"], each["protocol"]) for each in mappings if each.get("hostPort")}

    def to_api(self) -> dict[str, Any]:
        """Return what operations answer."""
        return {
            **self.shape,
            "taskDefinitionArn": self.arn,
            "status": self.status,
            "deregisteredAt": self.deregistered_at,
            "deleteRequestedAt": self.delete_requested_at,
        }


class Family(msgspec.Struct, frozen=True):
    """A family: how many revisions it has had, and how many of them are active."""

    account: str
    region: str
    name: str
    latest: int = 0
    active: int = 0
