"""The states of a scaling activity. API Reference, "ScalingActivity"."""

from __future__ import annotations

from typing import Final, Literal

ActivityState = Literal["Pending", "InProgress", "Successful", "Overridden", "Unfulfilled", "Failed"]

_FOLLOWING: Final[dict[ActivityState, frozenset[ActivityState]]] = {
    # It is begun, and the service was not asked yet.
    "Pending": frozenset({"InProgress", "Overridden", "Unfulfilled", "Failed"}),
    # The service has taken the new capacity and works on it.
    "InProgress": frozenset({"Successful", "Overridden", "Unfulfilled", "Failed"}),
    "Successful": frozenset(),
    "Overridden": frozenset(),
    "Unfulfilled": frozenset(),
    "Failed": frozenset(),
}


def can_become(state: ActivityState, following: ActivityState) -> bool:
    """Whether a state may follow another one."""
    return following in _FOLLOWING[state]


def is_over(state: ActivityState) -> bool:
    """Whether nothing follows any more."""
    return not _FOLLOWING[state]
