"""The states of operations and of what they work on: which follows which."""

from __future__ import annotations

from typing import Final

SUBMITTED, PENDING, SUCCESS, FAIL = "SUBMITTED", "PENDING", "SUCCESS", "FAIL"
FOLLOWING_STATUSES: Final = {SUBMITTED: {PENDING, SUCCESS, FAIL}, PENDING: {SUCCESS, FAIL}, SUCCESS: set(), FAIL: set()}
"""The statuses that an operation may have next."""

CREATING, ACTIVE, UPDATING, DELETING = "CREATING", "ACTIVE", "UPDATING", "DELETING"
FOLLOWING_STATES: Final = {
    CREATING: {ACTIVE},
    ACTIVE: {UPDATING, DELETING},
    UPDATING: {ACTIVE, DELETING},
    DELETING: {ACTIVE},
}
"""The states that a namespace or an instance may have next.

One that cannot be deleted is active again.
"""
VISIBLE: Final = frozenset((ACTIVE, UPDATING, DELETING))
"""The states in which something is shown. Before, its operation alone tells of it."""


def check_status(before: str, after: str) -> str:
    """Return the next status of an operation. Raises ValueError for one that does not follow."""
    if after not in FOLLOWING_STATUSES[before]:
        raise ValueError(f"an operation that is {before} does not become {after}")
    return after


def check_state(before: str, after: str) -> str:
    """Return the next state. Raises ValueError for one that does not follow."""
    if after not in FOLLOWING_STATES[before]:
        raise ValueError(f"what is {before} does not become {after}")
    return after
