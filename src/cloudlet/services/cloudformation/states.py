"""The states of stacks: the work that is done in each, and the next state.

Every change of a stack's state goes by this table. User guide, "Stack status codes" and "Stack failure options".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Work = Literal["apply", "revert", "clean-up", "remove"]
"""Make what the target has; bring back what was; delete leftovers; delete all."""


@dataclass(frozen=True, slots=True)
class Phase:
    """The work of a state, and the states that follow."""

    work: Work
    succeeded: str
    failed: str
    """The state after a failure, unless the operation's failure option says otherwise."""


IMPORT: Final = "IMPORT_IN_PROGRESS"
"""The state in which resources that there are become a stack's."""
IMPORT_ROLLBACK: Final = "IMPORT_ROLLBACK_IN_PROGRESS"

PHASES: Final[Mapping[str, Phase]] = {
    "CREATE_IN_PROGRESS": Phase("apply", "CREATE_COMPLETE", "ROLLBACK_IN_PROGRESS"),
    "ROLLBACK_IN_PROGRESS": Phase("remove", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"),
    "UPDATE_IN_PROGRESS": Phase("apply", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": Phase("clean-up", "UPDATE_COMPLETE", "UPDATE_COMPLETE"),
    "UPDATE_ROLLBACK_IN_PROGRESS": Phase(
        "revert", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"
    ),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Phase(
        "clean-up", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"
    ),
    "DELETE_IN_PROGRESS": Phase("remove", "DELETE_COMPLETE", "DELETE_FAILED"),
    "IMPORT_IN_PROGRESS": Phase("apply", "IMPORT_COMPLETE", IMPORT_ROLLBACK),
    "IMPORT_ROLLBACK_IN_PROGRESS": Phase("revert", "IMPORT_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_FAILED"),
}

FAILURE_STATUS: Final[Mapping[tuple[str, str], str]] = {
    ("CREATE_IN_PROGRESS", "DO_NOTHING"): "CREATE_FAILED",
    ("CREATE_IN_PROGRESS", "DELETE"): "DELETE_IN_PROGRESS",
    ("UPDATE_IN_PROGRESS", "DO_NOTHING"): "UPDATE_FAILED",
}
"""The state after applying has failed, by the state and the failure option."""

CLEANING: Final = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"

ROLLED_BACK: Final[Mapping[str, str]] = {
    "CREATE_FAILED": "ROLLBACK_IN_PROGRESS",
    "UPDATE_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS",
    CLEANING: "UPDATE_ROLLBACK_IN_PROGRESS",
}
"""The state that RollbackStack leads to; nested stacks that clean up only with their parents."""

KINDS: Final[Mapping[str, str]] = {
    "CREATE_IN_PROGRESS": "CREATE_STACK",
    "UPDATE_IN_PROGRESS": "UPDATE_STACK",
    "IMPORT_IN_PROGRESS": "UPDATE_STACK",
    "DELETE_IN_PROGRESS": "DELETE_STACK",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK",
    "UPDATE_ROLLBACK_IN_PROGRESS": "ROLLBACK",
    "IMPORT_ROLLBACK_IN_PROGRESS": "ROLLBACK",
}
"""The types of operations, by the states that they begin with."""

UPDATABLE: Final = frozenset(
    {
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
    }
)
EMPTY: Final = "REVIEW_IN_PROGRESS"
"""The state of a stack that a change set has made, without resources."""
DELETED: Final = "DELETE_COMPLETE"


def is_in_progress(status: str) -> bool:
    """Whether an operation is under way."""
    return status in PHASES


def get_status_after_failure(status: str, option: str) -> str:
    """Return the state of a stack after its work has failed."""
    return FAILURE_STATUS.get((status, option), PHASES[status].failed)
