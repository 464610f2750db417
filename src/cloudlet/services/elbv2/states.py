"""The states of load balancers: which follows which (API Reference, LoadBalancerState)."""

from __future__ import annotations

from typing import Final

PROVISIONING: Final = "provisioning"
"""The state while network interfaces are being made, and until a proxy serves it."""
ACTIVE: Final = "active"
"""The state of one that a proxy serves."""
ACTIVE_IMPAIRED: Final = "active_impaired"
"""The state of one that a proxy serves, but for a change or listener."""
FAILED: Final = "failed"
"""The state of one that could not be set up."""

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
