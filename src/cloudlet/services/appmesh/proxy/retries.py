"""Retries, timeouts and circuit breakers.

The defaults are those of the App Mesh User Guide, "Envoy defaults set by App Mesh".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.proxy.durations import to_duration

_UNLIMITED: Final = 2_147_483_647
_DEFAULT_TIMEOUT: Final = "15s"
_RETRY_ON: Final = {
    "server-error": ("5xx",),
    "gateway-error": ("gateway-error", "reset"),
    "client-error": ("retriable-4xx",),
    "stream-error": ("refused-stream",),
    "connection-error": ("connect-failure",),
}
"""The names of events that Envoy has other ones for. Those of gRPC are the same."""
_DEFAULT_POLICY: Final[Resource] = {
    "retry_on": "connect-failure,refused-stream,reset,unavailable,retriable-status-codes",
    "retriable_status_codes": [503],
    "num_retries": 2,
}


def make_retry_policy(policy: Mapping[str, Any] | None) -> Resource:
    """Return the retries of a route; without a policy those of App Mesh's default."""
    if policy is None:
        return _DEFAULT_POLICY
    events = [
        event
        for member in ("httpRetryEvents", "tcpRetryEvents", "grpcRetryEvents")
        for event in policy.get(member) or ()
    ]
    names = [name for event in events for name in _RETRY_ON.get(event, (event,))]
    made: Resource = {"retry_on": ",".join(dict.fromkeys(names)), "num_retries": policy["maxRetries"]}
    if policy["perRetryTimeout"]["value"]:
        made["per_try_timeout"] = to_duration(policy["perRetryTimeout"])
    return made


def make_timeouts(timeout: Mapping[str, Any] | None) -> Resource:
    """Return the timeouts of a route's action."""
    given = timeout or {}
    made: Resource = {"timeout": to_duration(given["perRequest"]) if "perRequest" in given else _DEFAULT_TIMEOUT}
    if "idle" in given:
        made["idle_timeout"] = to_duration(given["idle"])
    return made


def make_circuit_breakers(pool: Mapping[str, Any] | None) -> Resource:
    """Return the limits of a cluster. What a connection pool does not limit has no limit."""
    given: Mapping[str, Any] = next(iter((pool or {}).values()), {})
    return {
        "thresholds": [
            {
                "max_connections": given.get("maxConnections", _UNLIMITED),
                "max_pending_requests": given.get("maxPendingRequests", _UNLIMITED),
                "max_requests": given.get("maxRequests", _UNLIMITED),
                "max_retries": _UNLIMITED,
            }
        ]
    }
