"""Health checks as they are stored, and what was found by them."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.route53.block import REGION


class HealthCheck(msgspec.Struct, frozen=True):
    """A health check."""

    account: str
    name: str
    """Its id: records are kept by name."""
    reference: str
    config: dict[str, Any]
    """The HealthCheckConfig, with what AWS adds to it."""
    version: int = 1
    due: int = 0
    """When it is checked next, in milliseconds since the epoch; 0: not by itself."""
    alarm: dict[str, Any] | None = None
    """The CloudWatchAlarmConfiguration of its alarm."""
    linked_service: tuple[str, str] | None = None

    @property
    def region(self) -> str:
        return REGION


class Health(msgspec.Struct, frozen=True):
    """What is known of the health of what is checked, before Inverted and Disabled."""

    is_healthy: bool = True
    """Until something else is known."""
    differing: int = 0
    """How many results in a row have said otherwise."""
    checked: float = 0.0
    """When it was checked last; 0: never."""
    report: str = ""
    failed: float = 0.0
    """When a check has failed last; 0: never."""
    failure: str = ""
