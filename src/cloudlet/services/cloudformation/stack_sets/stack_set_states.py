"""The states of operations on stack sets, and of their results: which ones follow.

User guide, "StackSets status codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OPERATION: Final[Mapping[str, frozenset[str]]] = {
    "QUEUED": frozenset({"RUNNING", "STOPPED"}),
    "RUNNING": frozenset({"SUCCEEDED", "FAILED", "STOPPING"}),
    "STOPPING": frozenset({"STOPPED"}),
    "SUCCEEDED": frozenset(),
    "FAILED": frozenset(),
    "STOPPED": frozenset(),
}
RESULT: Final[Mapping[str, frozenset[str]]] = {
    "PENDING": frozenset({"RUNNING", "CANCELLED"}),
    "RUNNING": frozenset({"SUCCEEDED", "FAILED"}),
    "SUCCEEDED": frozenset(),
    "FAILED": frozenset(),
    "CANCELLED": frozenset(),
}
STOPPED_BY_USER: Final[Mapping[str, str]] = {"QUEUED": "STOPPED", "RUNNING": "STOPPING"}
"""The state that StopStackSetOperation leads to."""


def is_ended(status: str) -> bool:
    """Whether an operation is over."""
    return not OPERATION[status]


def check_transition(table: Mapping[str, frozenset[str]], before: str, after: str) -> None:
    """Raise ValueError unless a state may follow another."""
    if after not in table[before]:
        raise ValueError(f"{after} does not follow {before}")
