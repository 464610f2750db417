"""The states of load balancers: which follows which (API Reference, LoadBalancerState)."""

from __future__ import annotations

from typing import Final

PROVISIONING: Final = "provisioning"
"""Its network interfaces are being made, or no proxy serves it yet."""
ACTIVE: Final = "active"
"""A proxy serves it."""
ACTIVE_IMPAIRED: Final = "active_impaired"
"""A proxy serves it, but has refused its last change, or one of its listeners."""
FAILED: Final = "failed"
"""It could not be set up."""

_NEXT: Final = {
    PROVISIONING: {ACTIVE, FAILED},
    ACTIVE: {ACTIVE_IMPAIRED},
    ACTIVE_IMPAIRED: {ACTIVE},
    FAILED: {ACTIVE, PROVISIONING},
}


def find_state(state: str, is_refused: bool) -> str:
    """Return the state that follows once a proxy has taken or refused a load balancer."""
    wanted = ACTIVE if not is_refused else FAILED if state in (PROVISIONING, FAILED) else ACTIVE_IMPAIRED
    return wanted if wanted in _NEXT[state] else state
