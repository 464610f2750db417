"""Envoy's events of health checks in AWS's words (user guides, "Health check reason codes")."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

from cloudlet.services.elbv2.proxy.health_checks import parse_status
from cloudlet.services.elbv2.proxy.view import TargetHealth

HEALTHY: Final = TargetHealth("healthy")
INITIAL: Final = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DISABLED: Final = TargetHealth("unavailable", "Target.HealthCheckDisabled", "Health checks are not enabled")
TIMED_OUT: Final = TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
FAILED: Final = TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


class HealthEvent(NamedTuple):
    """News of a target."""

    group: str
    address: str
    port: int
    health: TargetHealth | None
    """None where the reason came with another event."""
    is_failure: bool
    """Whether it is one check that has failed, not yet the target."""
    time: float = 0.0


def parse_event(line: str | bytes) -> HealthEvent | None:
    """Return what a line of the file of events says of a target, if anything."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    place = (event.get("host") or {}).get("socket_address") or {}
    pipe = "pipe" in (event.get("host") or {})
    if not place and not pipe:
        return None
    group, address, port = event.get("cluster_name", ""), place.get("address", ""), int(place.get("port_value", 0))
    time = datetime.fromisoformat(event["timestamp"]).timestamp() if "timestamp" in event else 0.0
    if "add_healthy_event" in event:
        return HealthEvent(group, address, port, HEALTHY, is_failure=False, time=time)
    if "eject_unhealthy_event" in event:
        return HealthEvent(group, address, port, None, is_failure=False, time=time)
    if "health_check_failure_event" in event:
        failure = event["health_check_failure_event"]
        return HealthEvent(group, address, port, _describe(failure), is_failure=True, time=time)
    return None


def _describe(failure: dict[str, Any]) -> TargetHealth:
    status = failure.get("http_status_code")
    if status:
        text = f"Health checks failed with these codes: [{parse_status(status)}]"
        return TargetHealth("unhealthy", "Target.ResponseCodeMismatch", text)
    return TIMED_OUT if failure.get("failure_type") == "NETWORK_TIMEOUT" else FAILED


class HealthStates:
    """The health of the targets of a VPC, as far as events have told. It is kept as long as they are registered."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], TargetHealth] = {}
        self._reasons: dict[tuple[str, str, int], TargetHealth] = {}
        self._first_failures: dict[tuple[str, str, int], float] = {}
        """The times at which checks of targets have failed that were never healthy."""

    def take(self, event: HealthEvent, patience_seconds: float = 0.0) -> None:
        """Take note of an event. A new target may fail for some seconds before it is unhealthy."""
        key = event.group, event.address, event.port
        known = self._known.get(key, INITIAL)
        if event.is_failure and event.health is not None:
            self._reasons[key] = event.health
            since = self._first_failures.setdefault(key, event.time)
            if known.state == "unhealthy" or (known.state == "initial" and event.time >= since + patience_seconds):
                self._known[key] = event.health
            elif known.state == "initial":
                self._known[key] = INITIAL
        elif event.health is None:
            self._known[key] = self._reasons.get(key, FAILED)
        else:
            self._known[key] = event.health

    def get(self, group: str, address: str, port: int) -> TargetHealth:
        """Return the health of a target."""
        return self._known.get((group, address, port), INITIAL)

    def has(self, group: str, address: str, port: int) -> bool:
        """Whether something is known of a target."""
        return (group, address, port) in self._known

    def keep_only(self, keys: set[tuple[str, str, int]]) -> None:
        """Forget all targets but some."""
        for key in (self._known.keys() | self._reasons.keys()) - keys:
            for kept in (self._known, self._reasons, self._first_failures):
                kept.pop(key, None)
