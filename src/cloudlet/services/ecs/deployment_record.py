"""Service deployments as they are stored, those that have ended and those under way."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecs.deployment_states import PENDING, ROLLING


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
    test_percent: float = 0.0
    """The part of the test traffic that the target revision is to have."""
    production_percent: float = 0.0
    shifted_test: float = 0.0
    """The part that it has, as far as is known; less than 0 is unknown."""
    shifted_production: float = 0.0
    shifted_at: float = 0.0
    traffic_error: str = ""
    """The reason why traffic could not be shifted."""

    @property
    def strategy(self) -> str:
        return str(self.configuration.get("strategy") or "ROLLING")

    @property
    def is_staged(self) -> bool:
        """Whether it goes through the stages of a lifecycle, with both revisions running."""
        return self.strategy != ROLLING

    @property
    def is_shifted(self) -> bool:
        """Whether traffic goes where it is wanted."""
        wanted = self.test_percent, self.production_percent
        return (self.shifted_test, self.shifted_production) == wanted
