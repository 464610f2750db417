"""Health checks as they are stored, and what was found by them."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.route53.block import REGION


class HealthCheck(msgspec.Struct, frozen=True):
    """A health check."""

    account: str
    name: str
    """The id. Records are kept by name."""
    reference: str
    config: dict[str, Any]
    """The HealthCheckConfig, with what AWS adds to it."""
    version: int = 1
    due: int = 0
    """The time of the next check, in milliseconds since the epoch; 0: none."""
    alarm: dict[str, Any] | None = None
    """The CloudWatchAlarmConfiguration of its alarm."""
    linked_service: tuple[str, str] | None = None

    @property
    def region(self) -> str:
        return REGION


class Health(msgspec.Struct, frozen=True):
    """The health that checks have found, before Inverted and Disabled count."""

    is_healthy: bool = True
    """The health, by the last results in a row."""
    differing: int = 0
    """The number of results in a row that have said otherwise."""
    checked: float = 0.0
    """The time of the last check; 0: none."""
    report: str = ""
    failed: float = 0.0
    """The time of the last failure; 0: none."""
    failure: str = ""
