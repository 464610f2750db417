"""The states of resource operation requests, and which one may follow which.

Cloud Control API User Guide, "Managing resource operation requests".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Status = Literal["IN_PROGRESS", "SUCCESS", "FAILED", "CANCEL_IN_PROGRESS", "CANCEL_COMPLETE"]

FOLLOWING: Final[Mapping[Status, frozenset[Status]]] = {
    "IN_PROGRESS": frozenset({"SUCCESS", "FAILED", "CANCEL_IN_PROGRESS"}),
    "CANCEL_IN_PROGRESS": frozenset({"CANCEL_COMPLETE"}),
    "SUCCESS": frozenset(),
    "FAILED": frozenset(),
    "CANCEL_COMPLETE": frozenset(),
}


def is_final(status: Status) -> bool:
    """Whether nothing follows a state."""
    return not FOLLOWING[status]


def can_follow(status: Status, following: Status) -> bool:
    """Whether a request may go from one state to another."""
    return following in FOLLOWING[status]
