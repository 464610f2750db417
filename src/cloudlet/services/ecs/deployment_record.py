"""Service deployments as they are stored, those that have ended and those under way."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecs.deployment_states import PENDING


class Hook(msgspec.Struct, frozen=True):
    """A lifecycle hook that was reached."""

    id: str
    stage: str
    index: int
    """The place among the hooks of the deployment configuration."""
    status: str
    expires: float
    next_at: float = 0.0
    """The time at which the function is invoked next."""
    details: dict[str, Any] = {}


class ServiceDeployment(msgspec.Struct, frozen=True):
    """A service deployment. Revisions are told by their ids."""

    id: str
    created: float
    updated: float
    deployment: str
    """The id of the deployment of the target revision ("ecs-svc/123")."""
    target: str
    sources: list[str]
    configuration: dict[str, Any]
    status: str = PENDING
    reason: str = ""
    started: float | None = None
    finished: float | None = None
    stopped: float | None = None
    stage: str = ""
    stage_since: float = 0.0
    hooks: list[Hook] = []
    rollback: dict[str, Any] = {}
    failures: int = 0
    is_broken: bool = False
    """Whether the circuit breaker has been triggered."""
    triggered_alarms: list[str] = []
    is_watched: bool = True
    """Whether alarms make it fail: not where one was in ALARM when it began."""

    @property
    def strategy(self) -> str:
        return str(self.configuration.get("strategy") or "ROLLING")
