"""The states of tasks: which follows which. Developer guide, "Amazon ECS task lifecycle"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PROVISIONING: Final = "PROVISIONING"
PENDING: Final = "PENDING"
ACTIVATING: Final = "ACTIVATING"
RUNNING: Final = "RUNNING"
DEACTIVATING: Final = "DEACTIVATING"
STOPPING: Final = "STOPPING"
DEPROVISIONING: Final = "DEPROVISIONING"
STOPPED: Final = "STOPPED"

FOLLOWERS: Final[Mapping[str, tuple[str, ...]]] = {
    PROVISIONING: (PENDING, DEPROVISIONING),
    PENDING: (ACTIVATING, STOPPING),
    ACTIVATING: (RUNNING, DEACTIVATING),
    RUNNING: (DEACTIVATING,),
    DEACTIVATING: (STOPPING,),
    STOPPING: (DEPROVISIONING,),
    DEPROVISIONING: (STOPPED,),
    STOPPED: (),
}
"""A task that is to run takes the first, else the last."""


def find_next(status: str, desired: str) -> str | None:
    """Return the state that follows on the way to another one. None is where it is there."""
    if status == desired:
        return None
    return FOLLOWERS[status][0 if desired == RUNNING else -1]
